"""What Prometheus scrapes: counts and rates of the process and of every room, never a name or a label.

Everything is read when asked, from rooms that are open: there is no label set that could grow.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from host.loadmeter import LoadMeter
from host.room import Room
from signaling.directory import Directory
from signaling.errors import Draining, Overloaded, RoomFull
from signaling.protocol import ParticipantState

AT_THE_DOOR = (RoomFull.code, Overloaded.code, Draining.code)
"""Refusals that are counted from the beginning, so that the first one shows as an increase."""


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
        yield from self._histograms()

    def _gauges(self) -> Iterator[Metric]:
        def family(name: str, text: str) -> GaugeMetricFamily:
            return GaugeMetricFamily(f"edgeattend_{name}", text, labels=["room"])

        viewers = family("grid_viewers", "Tracks that receive the clean grid")
        watchers = family("annotated_watchers", "Watchers of the annotated grid")
        half_open = family("half_open_sessions", "Sessions whose connection has not come about yet")
        rate = family("grid_rate", "Frames per second that the grid should have now")
        fps = family("grid_fps", "Frames per second composed")
        fps_in = family("video_in_fps", "Frames per second received, all tiles")
        compose = family("compose_ms", "Median decode and compose time, ms")
        encode = family("encode_ms", "Median encode time of a frame, both renditions, ms")
        label_age = family("label_age_seconds", "Age of the oldest label shown to a host, whole seconds; 0: none is")
        for room in self._directory.rooms():
            viewers.add_metric([room.name], room.fanout.viewers)
            watchers.add_metric([room.name], room.annotated.watchers)
            half_open.add_metric([room.name], room.half_open())
            rate.add_metric([room.name], room.renderer.rate)
            fps.add_metric([room.name], room.renderer.fps)
            slots = [p.slot for p in room.participants() if p.slot is not None]
            fps_in.add_metric([room.name], sum(slot.fps() for slot in slots))
            compose.add_metric([room.name], room.renderer.compose_ms)
            encode.add_metric([room.name], room.renderer.encode_ms)
            label_age.add_metric([room.name], _label_age_s(room))
        yield from (viewers, watchers, half_open, rate, fps, fps_in, compose, encode, label_age)

    def _counters(self) -> Iterator[Metric]:
        def family(name: str, text: str) -> CounterMetricFamily:
            return CounterMetricFamily(f"edgeattend_{name}", text, labels=["room"])

        frames, skipped = family("grid_frames", "Frames composed"), family("grid_skipped", "Grid intervals missed")
        sent = family("grid_frames_sent", "Frames sent, one for each viewer")
        errors = family("render_errors", "Frames that could not be rendered")
        key_frames = family("key_frames", "Key frames of the grid, both renditions")
        key_requests = family("key_requests", "Key frames that viewers asked for")
        drops = family("queue_drops", "Packets viewers missed because they were behind")
        joins, removals = family("joins", "Participants who came"), family("removals", "Participants who went")
        rejected = family("messages_rejected", "Data channel messages dropped")
        misbehaved = family("sessions_misbehaved", "Sessions ended for their messages")
        frames_in = family("video_in_frames", "Whole frames received")
        frame_drops = family("video_in_drops", "Received frames dropped before decoding")
        decode_errors = family("decode_errors", "Received frames that could not be decoded")
        losses = family("video_in_losses", "Gaps in received video that were given up")
        for room in self._directory.rooms():
            totals, name = room.totals(), [room.name]
            frames.add_metric(name, room.renderer.frames)
            skipped.add_metric(name, room.renderer.skipped)
            sent.add_metric(name, room.fanout.frames_sent())
            errors.add_metric(name, room.renderer.errors)
            key_frames.add_metric(name, room.fanout.key_frames_made())
            key_requests.add_metric(name, room.fanout.key_frames_asked())
            drops.add_metric(name, room.fanout.queue_drops())
            joins.add_metric(name, totals.joins)
            removals.add_metric(name, totals.removals)
            rejected.add_metric(name, totals.messages_rejected)
            misbehaved.add_metric(name, totals.misbehaved)
            frames_in.add_metric(name, totals.frames)
            frame_drops.add_metric(name, totals.frames_dropped)
            decode_errors.add_metric(name, totals.decode_errors)
            losses.add_metric(name, totals.losses)
        yield from (frames, skipped, sent, errors, key_frames, key_requests, drops, joins, removals)
        yield from (rejected, misbehaved, frames_in, frame_drops, decode_errors, losses)

    def _histograms(self) -> Iterator[Metric]:
        compose = HistogramMetricFamily("edgeattend_compose_seconds", "Decode and compose time", labels=["room"])
        encode = HistogramMetricFamily("edgeattend_encode_seconds", "Encode time, both renditions", labels=["room"])
        for room in self._directory.rooms():
            for family, times in ((compose, room.renderer.compose_times), (encode, room.renderer.encode_times)):
                family.add_metric([room.name], times.buckets(), times.sum_s)
        yield from (compose, encode)


class HostCollector(Collector):
    """Reads what all rooms of this process share."""

    def __init__(self, meter: LoadMeter, refusals: Counter[str]) -> None:
        self._meter = meter
        self._refusals = refusals

    def collect(self) -> Iterator[Metric]:
        """Every metric family; call it on the event loop."""
        headroom, reading = self._meter.headroom, self._meter.headroom.reading
        for name, text, value in (
            ("headroom_level", "0 normal, 1 smaller, 2 slower, 3 newcomers are refused", headroom.level),
            ("cpu_ratio", "Part of the usable CPU that this process takes", reading.cpu),
            ("loop_busy_ratio", "Part of one core that the event loop takes", reading.loop),
            ("loop_lag_seconds", "The latest that the event loop was in the last second", reading.lag_s),
            ("tasks", "Tasks of the event loop", len(asyncio.all_tasks())),
            ("threads", "Threads of Python", threading.active_count()),
        ):
            yield GaugeMetricFamily(f"edgeattend_{name}", text, value)
        refusals = CounterMetricFamily("edgeattend_refusals", "Requests answered with an error", labels=["code"])
        for code, count in {**dict.fromkeys(AT_THE_DOOR, 0), **self._refusals}.items():
            refusals.add_metric([code], count)
        yield refusals


def scrape(directory: Directory, meter: LoadMeter, refusals: Counter[str]) -> bytes:
    """The exposition text of everything in `directory` and of this process."""
    registry = CollectorRegistry()
    registry.register(RoomCollector(directory))
    registry.register(HostCollector(meter, refusals))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


def _label_age_s(room: Room) -> int:
    """In whole seconds and at least one: labels come once a second, so that nobody can see one change by its age."""
    received_s = room.record.oldest_label_s(room.participants())
    return 0 if received_s is None else max(1, round(time.monotonic() - received_s))
