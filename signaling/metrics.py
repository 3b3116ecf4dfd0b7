"""What Prometheus scrapes: counts and rates of every room, read when asked, never a name or a label."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from signaling.directory import Directory
from signaling.protocol import ParticipantState


class RoomCollector(Collector):
    """Reads the rooms of a directory at each scrape."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def collect(self) -> Iterator[Metric]:
        """Every metric family, one sample per room."""
        participants = GaugeMetricFamily("edgeattend_participants", "Tiles by state", labels=["room", "state"])
        for room in self._directory.rooms():
            states = [participant.state for participant in room.participants()]
            for state in ParticipantState:
                if state is not ParticipantState.GONE:
                    participants.add_metric([room.name, state.value], states.count(state))
        yield participants
        yield from self._gauges()
        yield from self._counters()

    def _gauges(self) -> Iterator[Metric]:
        viewers = GaugeMetricFamily("edgeattend_grid_viewers", "Tracks that receive the clean grid", labels=["room"])
        watchers = GaugeMetricFamily("edgeattend_annotated_watchers", "Watchers of the annotated grid", labels=["room"])
        fps = GaugeMetricFamily("edgeattend_grid_fps", "Frames per second composed", labels=["room"])
        fps_in = GaugeMetricFamily("edgeattend_video_in_fps", "Frames per second received, all tiles", labels=["room"])
        compose = GaugeMetricFamily("edgeattend_compose_ms", "Median decode and compose time, ms", labels=["room"])
        encode = GaugeMetricFamily("edgeattend_encode_ms", "Median encode time, ms", labels=["room"])
        for room in self._directory.rooms():
            viewers.add_metric([room.name], room.fanout.viewers)
            watchers.add_metric([room.name], room.annotated.watchers)
            fps.add_metric([room.name], room.renderer.fps)
            slots = [p.slot for p in room.participants() if p.slot is not None]
            fps_in.add_metric([room.name], sum(slot.fps() for slot in slots))
            compose.add_metric([room.name], room.renderer.compose_ms)
            encode.add_metric([room.name], room.renderer.encode_ms)
        yield from (viewers, watchers, fps, fps_in, compose, encode)

    def _counters(self) -> Iterator[Metric]:
        def family(name: str, text: str) -> CounterMetricFamily:
            return CounterMetricFamily(f"edgeattend_{name}", text, labels=["room"])

        frames, skipped = family("grid_frames", "Frames composed"), family("grid_skipped", "Grid intervals missed")
        errors = family("render_errors", "Frames that could not be rendered")
        key_frames = family("key_frames", "Key frames of the grid")
        key_requests = family("key_requests", "Key frames that viewers asked for")
        drops = family("queue_drops", "Packets viewers missed because they were behind")
        joins, removals = family("joins", "Participants who came"), family("removals", "Participants who went")
        rejected = family("messages_rejected", "Data channel messages dropped")
        misbehaved = family("sessions_misbehaved", "Sessions ended for their messages")
        frame_drops = family("video_in_drops", "Received frames dropped before decoding")
        decode_errors = family("decode_errors", "Received frames that could not be decoded")
        losses = family("video_in_losses", "Gaps in received video that were given up")
        for room in self._directory.rooms():
            totals, name = room.totals(), [room.name]
            frames.add_metric(name, room.renderer.frames)
            skipped.add_metric(name, room.renderer.skipped)
            errors.add_metric(name, room.renderer.errors)
            key_frames.add_metric(name, room.fanout.key_frames)
            key_requests.add_metric(name, room.fanout.key_requests)
            drops.add_metric(name, room.fanout.queue_drops())
            joins.add_metric(name, totals.joins)
            removals.add_metric(name, totals.removals)
            rejected.add_metric(name, totals.messages_rejected)
            misbehaved.add_metric(name, totals.misbehaved)
            frame_drops.add_metric(name, totals.frames_dropped)
            decode_errors.add_metric(name, totals.decode_errors)
            losses.add_metric(name, totals.losses)
        yield from (frames, skipped, errors, key_frames, key_requests, drops, joins, removals)
        yield from (rejected, misbehaved, frame_drops, decode_errors, losses)


def scrape(directory: Directory) -> bytes:
    """The exposition text of everything in `directory`."""
    registry = CollectorRegistry()
    registry.register(RoomCollector(directory))
    return generate_latest(registry)
