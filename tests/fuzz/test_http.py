"""The documented API, asked by schemathesis what its document allows and what it does not, by everybody."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from random import Random
from typing import Any

import pytest
import requests
import schemathesis
import yaml
from hypothesis import given
from hypothesis.errors import FailedHealthCheck, Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import CheckFunction
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from host.mode import Mode
from signaling.protocol import Label
from signaling.tokens import Role
from tests.fake_peer import until
from tests.fuzz.budget import dice, examples
from tests.fuzz.http_meeting import going_on
from tests.host.offers import GRID, offer, section
from tests.signaling.conftest import AUTHORITY, Client
from tests.signaling.test_openapi import DOCUMENT

CHECKS: list[CheckFunction] = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

TOKENS = {
    "nobody": "",
    "viewer": AUTHORITY.issue(Role.VIEWER, "main"),
    "invite": AUTHORITY.issue(Role.PARTICIPANT, "main"),
    "personal": AUTHORITY.issue(Role.PARTICIPANT, "main", participant="ben", name="Ben"),
    "host": AUTHORITY.issue(Role.HOST, "main"),
    "host of another room": AUTHORITY.issue(Role.HOST, "other"),
    "host of no room": AUTHORITY.issue(Role.HOST, "nowhere"),
    "expired": AUTHORITY.issue(Role.HOST, "main", ttl_s=-1),
    "forged": "eyJhbGciOiJub25lIn0.eyJyb2xlIjoiaG9zdCJ9.bm8tc2lnbmF0dXJl",
}
OFFERS = [
    offer(section()),
    offer(section(), GRID),
    offer(section(direction="recvonly")),
    offer(section(codecs=("AV1",))),
]

ENDLESS = "/r/{room}/annotated.mjpg"


def document() -> dict[str, Any]:
    """As it is written, but that no object has a member that is not in it: a reader may meet more, we tell of all."""
    read: dict[str, Any] = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))
    closed(read["components"]["schemas"])
    return read


def closed(value: Any) -> None:
    if isinstance(value, dict):
        if "properties" in value and value.get("type") == "object":
            value["additionalProperties"] = False
        for one in value.values():
            closed(one)
    elif isinstance(value, list):
        for one in value:
            closed(one)


@schemathesis.serializer("application/sdp")
def as_it_is(_: schemathesis.SerializationContext, offer: Any) -> bytes:
    return offer if isinstance(offer, bytes) else str(offer).encode(errors="surrogatepass")


class Asker:
    """Asks in a thread of its own, since schemathesis waits for answers."""

    def __init__(self, client: Client, session: str) -> None:
        self._origin, self._room = client.origin, client.room
        self._http = requests.Session()
        self.sessions = [session, "/sessions/none"]

    def ask_all(self, cases: Iterable[schemathesis.Case], lot: Random) -> None:
        """Each as anybody, then about real things: as who may, and as anybody again."""
        try:
            for case in cases:
                self.ask(case, lot.choice(list(TOKENS)))
                self.ask(case, None, lot)
                self.ask(case, lot.choice(list(TOKENS)), lot)
        finally:
            self._end_sessions()
            self._http.close()

    def _end_sessions(self) -> None:
        for path in self.sessions:
            self._http.delete(self._origin + path, headers={"Authorization": f"Bearer {TOKENS['host']}"}, timeout=10)
            headers = {"Authorization": f"Bearer {TOKENS['host of another room']}"}
            self._http.delete(self._origin + path, headers=headers, timeout=10)

    def ask(self, case: schemathesis.Case, holder: str | None = None, lot: Random | None = None) -> None:
        """One request, and a check of its answer: by `holder` (None: by who may); with `lot`, real things stand in for
        what cannot be guessed.
        """
        if lot is not None:
            self._make_real(case, lot)
        if holder is None:
            host = "host of another room" if case.path_parameters.get("room") == "other" else "host"
            holder = "personal" if case.path.endswith("/me") else host
        headers = {"Accept": "*/*" if lot is None else lot.choice(["*/*", "text/html,*/*;q=0.8"])}
        if TOKENS[holder]:
            headers["Authorization"] = f"Bearer {TOKENS[holder]}"
        sent = case.as_transport_kwargs(base_url=self._origin, headers=headers)
        endless = case.operation.path == ENDLESS
        with self._http.request(**sent, timeout=10, stream=endless, allow_redirects=False) as response:
            if endless and response.status_code == 200:
                response._content = next(response.iter_content(4096))
            self._check(case, response)

    def _make_real(self, case: schemathesis.Case, lot: Random) -> None:
        here = [one.id for one in self._room.participants() if one.name != "Ana"]
        real = {
            "room": ["main", "main", "main", "main", "other"],
            "session": [path.rpartition("/")[2] for path in self.sessions],
            "participant": ["none", *here],
            "file": ["room.js", "perception/crop.js", "ort.wasm.min.mjs", "models/attention.json", "missing.js"],
        }
        for name in case.path_parameters:
            case.path_parameters[name] = lot.choice(real[name])
        if case.media_type == "application/sdp" and lot.random() < 0.7:
            case.body = lot.choice(OFFERS)

    def _check(self, case: schemathesis.Case, response: requests.Response) -> None:
        assert response.status_code < 500 or response.status_code == 503, response.text
        told = f"{response.headers}" + ("" if response.status_code == 206 else response.text)
        assert "Traceback" not in told
        for token in TOKENS.values():
            assert not token or token.rpartition(".")[2] not in told
        if "Location" in response.headers:
            self.sessions.append(response.headers["Location"])
        case.validate_response(response, checks=CHECKS)


@pytest.mark.parametrize("mode", list(GenerationMode))
async def test_every_answer_is_as_the_document_has_it(mode: GenerationMode, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("aiohttp", "asyncio", "signaling", "host"):
        caplog.set_level(logging.DEBUG, logger=name)
    cases = made(mode)
    async with going_on() as client:
        client.server.directory.room("other").set_mode(Mode.AGGREGATE)
        client.peers[0].mood(Label.ATTENTIVE)
        await until(lambda: client.room.participants()[0].mood)
        ben = await client.post_offer("/whip/main", OFFERS[0], TOKENS["personal"])
        asker = Asker(client, ben.headers["Location"])
        await asyncio.to_thread(asker.ask_all, cases, dice(5))
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert not [name for name, token in TOKENS.items() if token and token.rpartition(".")[2] in caplog.text]


def made(mode: GenerationMode) -> list[schemathesis.Case]:
    """To ask of every operation of the document. Made before there is a server: hypothesis allows nobody else to draw
    random numbers meanwhile, not even for a packet of media.
    """
    schema = schemathesis.openapi.from_dict(document())
    return [case for result in schema.get_all_operations() for case in made_for(result.ok(), mode)]


def made_for(operation: Any, mode: GenerationMode) -> list[schemathesis.Case]:
    cases: list[schemathesis.Case] = []

    @examples(5)
    @given(operation.as_strategy(generation_mode=mode))
    def make(case: schemathesis.Case) -> None:
        cases.append(case)

    nothing = (Unsatisfiable, FailedHealthCheck) if mode is GenerationMode.NEGATIVE else ()
    with suppress(*nothing):  # there is nothing that could be wrong
        make()
    return cases
