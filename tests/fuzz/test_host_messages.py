"""What no host would say: its participant goes on, and comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from peer.client import ClientConfig
from peer.mood import MoodBoard
from peer.perception.verdict import Verdict
from peer.perception.worker import Decision
from signaling.protocol import Bye, Label, Ping, Reason, Send, encode
from tests.fake_peer import until
from tests.fuzz.budget import count, dice
from tests.fuzz.messages import EXTREMES, REAL, mutate
from tests.fuzz.watched import nothing_left_behind
from tests.peer.fake_host import FakeHost, running_host
from tests.peer.test_client import joined


@pytest.fixture
async def host() -> AsyncIterator[FakeHost]:
    async with running_host() as host:
        yield host


HOSTILE = [
    *(
        '{"t":"send","width":1,"height":1,"fps":0,"kbps":1000000000}',
        '{"t":"send","width":16,"height":4096,"fps":60,"kbps":30}',
    ),
    *(
        '{"t":"send","width":4096,"height":16,"fps":1,"kbps":20000}',
        '{"t":"send","width":1e9,"height":NaN,"fps":-1,"kbps":0}',
    ),
    *('{"t":"send","width":17,"height":17,"fps":7,"kbps":31}', encode(Ping(2**200)), '{"t":"ping","id":-1}'),
    *('{"t":"welcome","v":1,"participant":"\\u001b[2J\\u0000","room":"' + "r" * 3000 + '","resume":""}'),
    *('{"t":"welcome","v":-5,"participant":"","room":"","resume":"a\\r\\nX-Evil: b"}', '{"t":"welcome"}'),
    '{"t":"roster","participants":[' + ",".join(['{"id":"x","name":"\\u202e<b>","state":"live"}'] * 1_000) + "]}",
    '{"t":"roster","participants":[' + ",".join(['{"id":"","name":"' + "n" * 900 + '","state":"gone"}'] * 4) + "]}",
    *(text for text in EXTREMES if isinstance(text, str) and len(text) < 100_000),
]


async def test_whatever_a_host_says_its_participant_goes_on(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.peer.test_client.QUICK", ClientConfig(0.05, 0.2))  # pings wait behind what is said here
    random = dice(6)
    moods = MoodBoard()
    moods.put(Decision(Verdict(Label.ATTENTIVE, 0.9, Reason.FACE), None, 1))
    async with nothing_left_behind(), joined(host, moods) as (hearer, task, _):
        session = await host.session(0)
        await host.until(lambda: len(session.frames) > 2)
        assert session.channel is not None
        for number in range(count(1)):
            texts = [*HOSTILE, *(mutate(text, random) for text in REAL * 5 if '"bye"' not in text)]
            random.shuffle(texts)
            for text in texts:
                session.channel.send(text.encode(errors="replace").decode())
                await until(lambda: session.channel is not None and session.channel.bufferedAmount < 20_000)
            frames, said, grid = len(session.frames), len(session.messages), len(hearer.grid)
            session.send(Send(160, 120, 10 + number % 5, 100))
            await host.until(lambda: len(session.frames) > frames + 1 and len(session.messages) > said)  # noqa: B023
            await hearer.until(lambda: len(hearer.grid) > grid)  # noqa: B023
            assert not task.done()
        for _number in range(500):
            session.send(Bye("\x1b[2J" + "x" * 2000))
        await host.session(1)  # it comes back, with the personal token that it has
        assert "\n" not in host.offers[-1][1]
        assert not task.done()
