"""A room with real peers in it."""

from __future__ import annotations

import asyncio
import csv
import io
from collections import Counter

import pytest

from host.admission import Admission
from host.layout import fit
from host.mode import Mode
from host.room import Room
from signaling.codec import VideoDecoder, plane_views
from signaling.errors import (
    ModeChanged,
    ModeFixed,
    RoomFull,
    SdpInvalid,
    SdpNoVideo,
    SessionUnknown,
)
from signaling.protocol import Bye, Label, Reason, Roster, Send, Welcome
from signaling.rtc import EncodedFrame
from tests.fake_peer import FakePeer, until
from tests.host.conftest import Meeting
from tests.host.offers import real_offer

RED, GREEN = (81, 90, 240), (145, 54, 34)


def history(room: Room) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(room.record.history.csv(), newline="")))


async def test_whoever_joins_is_welcomed_listed_and_told_what_to_send(meeting: Meeting) -> None:
    peer, _ = await meeting.join("ana", name="Ana")
    welcome = await peer.hear(Welcome)
    assert (welcome.v, welcome.participant, welcome.room, welcome.resume) == (1, "ana", "main", "resume-ana")
    await until(lambda: any(r.participants[0].state == "live" for r in peer.heard(Roster)))
    assert [(e.id, e.name) for e in peer.heard(Roster)[-1].participants] == [("ana", "Ana")]
    rect = meeting.room.renderer.scene.tiles[0].rect
    wanted = await peer.hear(Send)
    assert (wanted.width, wanted.height, wanted.fps) == (rect.width, rect.height, 15)
    assert meeting.kinds("ana")[:2] == ["joined", "state"]


async def test_everybody_sees_everybody_in_the_grid(meeting: Meeting) -> None:
    await meeting.join("ana", FakePeer(RED))
    await meeting.join("ben", FakePeer(GREEN))
    viewer, _ = await meeting.watch()
    decoder = VideoDecoder("VP8")
    taken = 0

    def colours() -> list[tuple[int, int]]:
        """U and V in the middle of each tile of the newest grid frame."""
        nonlocal taken
        frame = None
        while taken < len(viewer.grid):
            frame = decoder.decode(viewer.grid[taken].data) or frame
            taken += 1
        if frame is None:
            return []
        _, u, v = plane_views(frame)
        found = []
        for tile in meeting.room.renderer.scene.tiles:
            inner = fit(160, 120, tile.rect)
            x, y = (inner.x + inner.width // 2) // 2, (inner.y + inner.height // 4) // 2
            found.append((int(u[y, x]), int(v[y, x])))
        return found

    def near(found: list[tuple[int, int]]) -> bool:
        return bool(found) and found == [pytest.approx(RED[1:], abs=12), pytest.approx(GREEN[1:], abs=12)]

    await until(lambda: near(colours()))
    assert viewer.grid[0].key
    entries = meeting.room.status(labels=False)["participants"]
    assert [entry["video"]["width"] for entry in entries] == [160, 160]


async def test_moods_reach_the_status_with_labels_alone(meeting: Meeting) -> None:
    peer, _ = await meeting.join("ana")
    peer.mood(Label.NOT_ATTENTIVE, 0.123456, Reason.NO_FACE)
    await until(lambda: meeting.room.status(labels=True)["participants"][0]["mood"])
    mood = meeting.room.status(labels=True)["participants"][0]["mood"]
    assert {key: mood[key] for key in ("label", "score", "reason")} == {
        "label": "not_attentive",
        "score": 0.123,
        "reason": "no_face",
    }
    assert 0 <= mood["age_s"] < 5
    assert "mood" not in meeting.room.status(labels=False)["participants"][0]
    assert "share" not in meeting.room.status(labels=True)


async def test_only_changes_of_label_are_reported(meeting: Meeting) -> None:
    peer, _ = await meeting.join("ana")
    for label, score in ((Label.ATTENTIVE, 0.9), (Label.ATTENTIVE, 0.8), (Label.NOT_ATTENTIVE, 0.2)):
        peer.mood(label, score)
        member = meeting.room._members["ana"]
        await until(
            lambda score=score, member=member: member.participant.mood and member.participant.mood.mood.score == score
        )
    labels = [event["label"] for event in meeting.events if event["event"] == "label"]
    assert labels == ["attentive", "not_attentive"]
    assert [entry["label"] for entry in history(meeting.room)][-2:] == ["attentive", "not_attentive"]


async def test_whoever_comes_back_takes_over_the_tile_and_the_older_session_ends(meeting: Meeting) -> None:
    older, old_session = await meeting.join("ana", name="Ana")
    await meeting.join("ben")
    older.mood(Label.ATTENTIVE)
    await until(lambda: "label" in meeting.kinds("ana"))
    newer = FakePeer(GREEN)
    new_session = await meeting.publish("ana", newer, "Somebody else")
    await newer.accept(newer.answer)
    assert (await older.hear(Bye)).reason == "replaced"
    await newer.hear(Welcome)
    assert [(p.id, p.name) for p in meeting.room.participants()] == [("ana", "Ana"), ("ben", "Ben")]
    assert meeting.room.owner_of(old_session) is None
    assert meeting.room.owner_of(new_session) == ("owner-ana", "ana")
    assert meeting.room.status(labels=True)["participants"][0]["mood"] is None
    assert Counter(meeting.kinds())["joined"] == 2
    assert "left" not in meeting.kinds()
    await until(lambda: meeting.state("ana") == "live")
    await until(lambda: older.connection.connectionState == "closed")


async def test_two_offers_of_one_participant_at_once_make_one_tile_and_one_session(meeting: Meeting) -> None:
    peers = FakePeer(), FakePeer()
    sessions = await asyncio.gather(*(meeting.publish("ana", peer) for peer in peers))
    assert len(meeting.room.participants()) == 1
    assert [meeting.room.owner_of(session) is not None for session in sessions].count(True) == 1
    stands = peers[[meeting.room.owner_of(session) is not None for session in sessions].index(True)]
    await stands.accept(stands.answer)
    assert (await stands.hear(Welcome)).participant == "ana"
    await until(lambda: meeting.state("ana") == "live")
    assert meeting.room.fanout.viewers == 1  # the other session was closed


async def test_a_flood_ends_that_session_alone(meeting: Meeting) -> None:
    loud, _ = await meeting.join("loud")
    calm, _ = await meeting.join("calm")
    for _ in range(200):
        loud.send("{}")
    assert (await loud.hear(Bye)).reason == "misbehaved"
    await until(lambda: meeting.state("loud") is None)
    assert meeting.state("calm") == "live"
    assert not calm.heard(Bye)
    totals = meeting.room.totals()
    assert (totals.misbehaved, totals.removals) == (1, 1)
    assert totals.messages_rejected >= 60
    assert meeting.kinds("loud")[-1] == "left"


async def test_malformed_messages_are_counted_and_the_meeting_goes_on(meeting: Meeting) -> None:
    peer, _ = await meeting.join("ana")
    bad = ["", "{}", "[]", b"\x00\x01", '{"t":"mood"}', "x" * 5000, '{"t":"mood","label":"attentive","score":NaN}']
    for data in bad:
        peer.send(data)
    await until(lambda: meeting.room.totals().messages_rejected == len(bad))
    peer.mood(Label.ATTENTIVE)
    await until(lambda: "label" in meeting.kinds("ana"))
    assert meeting.state("ana") == "live"


async def test_a_tile_turns_stale_then_goes_when_a_peer_stops_sending(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, _ = await meeting.join("ana")
    await meeting.join("ben")
    monkeypatch.setattr("host.participant.STALE_AFTER_S", 1.3)  # longer than a ping
    monkeypatch.setattr("host.participant.GONE_AFTER_S", 2.0)
    ana.fall_silent()
    await until(lambda: meeting.state("ana") == "stale")
    assert meeting.state("ben") == "live"
    assert (await ana.hear(Bye)).reason == "silent"
    await until(lambda: meeting.state("ana") is None)
    assert [e["state"] for e in meeting.events if e["event"] == "state" and e["participant"] == "ana"][-1] == "stale"
    assert meeting.kinds("ana")[-1] == "left"
    assert [row["state"] for row in history(meeting.room) if row["participant"] == "ana"][-2:] == ["stale", "gone"]
    assert [tile.participant.id for tile in meeting.room.renderer.scene.tiles] == ["ben"]


async def test_a_silent_peer_that_speaks_again_is_live_again(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    ana, _ = await meeting.join("ana")
    monkeypatch.setattr("host.participant.STALE_AFTER_S", 0.5)
    ana.fall_silent()
    await until(lambda: meeting.state("ana") == "stale")
    ana.mood(Label.ATTENTIVE)
    await until(lambda: meeting.state("ana") == "live")


async def test_pongs_keep_a_participant_without_a_camera_live(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host.repeats.PING_EVERY_S", 0.05)
    ana, _ = await meeting.join("ana")
    assert ana.track is not None
    ana.track.running.clear()
    monkeypatch.setattr("host.participant.STALE_AFTER_S", 1.0)
    heard = meeting.room.participants()[0].heard_s
    await until(lambda: meeting.room.participants()[0].heard_s > heard + 1.5)
    assert meeting.state("ana") == "live"


async def test_a_lost_connection_leaves_the_tile_stale_until_its_owner_is_back(meeting: Meeting) -> None:
    first, _ = await meeting.join("ana")
    await first.close()
    await until(lambda: meeting.state("ana") == "stale")
    await meeting.join("ana", FakePeer(GREEN))
    assert Counter(meeting.kinds("ana"))["joined"] == 1


async def test_a_picture_that_broke_is_counted(meeting: Meeting) -> None:
    await meeting.join("ana")
    slot = meeting.room.participants()[0].slot
    assert slot is not None
    await until(lambda: slot.size)
    slot.push(EncodedFrame("VP8", b"\x11 is no frame", 0, 0.0, key=False))
    await until(lambda: slot.decode_errors == 1)
    await until(lambda: meeting.room.totals().decode_errors == 1)


async def test_whoever_leaves_takes_the_tile_along(meeting: Meeting) -> None:
    _, session = await meeting.join("ana")
    await meeting.join("ben")
    await meeting.room.leave(session)
    assert [p.id for p in meeting.room.participants()] == ["ben"]
    assert [tile.participant.id for tile in meeting.room.renderer.scene.tiles] == ["ben"]
    assert meeting.kinds("ana")[-1] == "left"
    assert history(meeting.room)[-1]["state"] == "gone"
    with pytest.raises(SessionUnknown):
        await meeting.room.leave(session)


async def test_tiles_and_what_to_send_change_with_the_number_of_people(meeting: Meeting) -> None:
    ana, _ = await meeting.join("ana")
    alone = await ana.hear(Send)
    _, session = await meeting.join("ben")
    await until(lambda: ana.heard(Send)[-1] != alone)
    assert ana.heard(Send)[-1].width < alone.width
    await meeting.room.leave(session)
    await until(lambda: ana.heard(Send)[-1] == alone)


async def test_what_to_send_and_the_roster_are_repeated_in_case_they_got_lost(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host.repeats.REPEAT_S", 0.05)
    ana, _ = await meeting.join("ana")
    await until(lambda: len(ana.heard(Send)) > 3 and len(ana.heard(Roster)) > 3)
    assert len(set(ana.heard(Send))) == 1


async def test_a_full_room_turns_participants_away_but_not_who_comes_back(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host.room.MAX_PARTICIPANTS", 1)
    await meeting.join("ana")
    with pytest.raises(RoomFull, match="at most 1 participants"):
        await meeting.publish("ben", FakePeer())
    await meeting.join("ana", FakePeer(GREEN))


async def test_a_room_does_not_overfill_when_many_come_at_once(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host.room.MAX_PARTICIPANTS", 1)
    results = await asyncio.gather(
        *(meeting.publish(name, FakePeer()) for name in ("ana", "ben", "eve")), return_exceptions=True
    )
    assert sum(isinstance(result, RoomFull) for result in results) == 2
    assert len(meeting.room.participants()) == 1
    assert meeting.room.fanout.viewers == 1  # nobody who was turned away is still subscribed


async def test_a_full_room_turns_viewers_away(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host.audience.MAX_VIEWERS", 1)
    _, session = await meeting.watch()
    with pytest.raises(RoomFull, match="at most 1 viewers"):
        await meeting.watch()
    await meeting.room.leave(session)
    await meeting.watch()


async def test_a_viewer_who_goes_is_forgotten(meeting: Meeting) -> None:
    viewer, session = await meeting.watch()
    assert meeting.room.owner_of(session) == ("viewer", None)
    assert meeting.room.fanout.viewers == 1
    await viewer.close()
    await until(lambda: meeting.room.owner_of(session) is None)
    assert meeting.room.fanout.viewers == 0


async def test_sessions_that_never_connect_are_given_up(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host.room.CONNECT_TIMEOUT_S", 0.1)
    monkeypatch.setattr("host.participant.GONE_AFTER_S", 0.2)
    session, _ = await meeting.room.watch(await real_offer("recvonly"), "viewer")
    await meeting.publish("ana", FakePeer())
    assert meeting.state("ana") == "connecting"
    await until(lambda: meeting.room.owner_of(session) is None and meeting.state("ana") is None)
    await until(lambda: not meeting.room._closing)
    assert meeting.room.fanout.viewers == 0


async def test_an_offer_that_cannot_work_leaves_no_trace(meeting: Meeting) -> None:
    admission = Admission("ana", "Ana", lambda: "resume", "owner")
    with pytest.raises(SdpInvalid):
        await meeting.room.publish("v=0 nonsense", admission)
    with pytest.raises(SdpNoVideo):
        await meeting.room.publish(await real_offer("recvonly"), admission)
    assert meeting.room.participants() == []
    assert meeting.events == []


async def test_the_end_of_a_meeting_is_said_to_everybody(meeting: Meeting) -> None:
    ana, _ = await meeting.join("ana")
    viewer, _ = await meeting.watch()
    await meeting.room.close()
    assert (await ana.hear(Bye)).reason == "shutdown"
    await until(lambda: viewer.connection.connectionState == "closed")
    assert not meeting.room.renderer.alive


async def test_another_title_shows_in_the_grid_and_the_name_stays(meeting: Meeting) -> None:
    await meeting.join("ana")
    await meeting.room.rename("Physics, Tuesday")
    assert meeting.room.renderer.scene.title == "Physics, Tuesday"
    assert [tile.participant.id for tile in meeting.room.renderer.scene.tiles] == ["ana"]
    status = meeting.room.status(labels=False)
    assert (status["room"], status["title"]) == ("main", "Physics, Tuesday")


async def test_the_mode_is_open_until_somebody_comes_in(meeting: Meeting) -> None:
    meeting.room.set_mode(Mode.AGGREGATE)
    meeting.room.set_mode(Mode.INDIVIDUAL)
    await meeting.watch()
    meeting.room.set_mode(Mode.AGGREGATE)
    assert not meeting.room.mode_fixed
    _, session = await meeting.join("ana")
    await meeting.room.leave(session)
    assert meeting.room.mode_fixed
    with pytest.raises(ModeFixed):
        meeting.room.set_mode(Mode.INDIVIDUAL)
    meeting.room.set_mode(Mode.AGGREGATE)


async def test_an_offer_that_cannot_work_fixes_nothing(meeting: Meeting) -> None:
    with pytest.raises(SdpNoVideo):
        await meeting.room.publish(await real_offer("recvonly"), Admission("ana", "Ana", str, "owner"))
    meeting.room.set_mode(Mode.AGGREGATE)


async def test_who_comes_second_is_held_to_the_mode_that_the_first_one_brought(meeting: Meeting) -> None:
    offer = await real_offer("sendonly")
    back = Admission("ana", "Ana", str, "owner", aggregate=True)
    fresh = Admission("ben", "Ben", str, "owner", agreed="individual")
    answers = await asyncio.gather(
        *(meeting.room.publish(offer, admission) for admission in (back, fresh)), return_exceptions=True
    )
    assert isinstance(answers[1], ModeChanged)
    assert [one.id for one in meeting.room.participants()] == ["ana"]
    assert meeting.room.record.mode is Mode.AGGREGATE


async def test_three_people_who_share_have_a_share_and_nothing_else(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host.share.OVER_S", 0.2)
    monkeypatch.setattr("host.share.EVERY_S", 0.1)
    meeting.room.set_mode(Mode.AGGREGATE)
    peers = [(await meeting.join(name))[0] for name in ("ana", "ben", "chi")]
    assert meeting.room.status(labels=True)["share"] is None
    for peer, label in zip(peers, (Label.ATTENTIVE, Label.ATTENTIVE, Label.NOT_ATTENTIVE), strict=True):
        peer.mood(label)
    await until(lambda: meeting.room.status(labels=True)["share"])
    status = meeting.room.status(labels=True)
    assert status["share"] == {"sharing": 3, "attentive": 0.7}
    assert all("mood" not in entry for entry in status["participants"])
    assert "share" not in meeting.room.status(labels=False)
    peers[0].mood(Label.UNKNOWN, 0.0, Reason.PAUSED)
    await until(lambda: meeting.room.status(labels=True)["share"] is None)
    assert set(meeting.kinds()) == {"joined", "state"}
    assert history(meeting.room) == []
