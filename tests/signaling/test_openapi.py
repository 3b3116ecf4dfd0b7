"""docs/openapi.yaml says what the server does: the same routes, roles, errors and words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from host.mode import Mode
from host.stretches import Doing
from signaling import errors
from signaling.directory import LocalDirectory
from signaling.errors import EdgeAttendError
from signaling.protocol import Label, ParticipantState, Reason
from signaling.removals import Removals
from signaling.server import make_app
from tests.signaling.conftest import AUTHORITY, CONFIG
from tests.signaling.test_access import ROUTES

DOCUMENT = Path(__file__).parents[2] / "docs/openapi.yaml"
PROTOCOL = Path(__file__).parents[2] / "docs/protocol.md"
METHODS = {"get", "post", "patch", "delete", "options"}
NOT_OF_HTTP = {"message_invalid", "config_invalid", "source_unavailable", "model_unavailable", "port_taken"}
"""Codes of the command line and of the data channel."""


def document() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))
    return read


def operations() -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, item in document()["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


def statuses_of(code: str) -> set[int]:
    return {kind.status for kind in vars(errors).values() if is_error(kind) and kind.code == code}


def is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, EdgeAttendError)


def test_the_document_has_every_route_and_no_other() -> None:
    app = make_app(LocalDirectory([]), AUTHORITY, CONFIG, Removals())
    served = {(r.method, r.resource.canonical) for r in app.router.routes() if r.resource is not None}
    assert {(method, path) for method, path in served if method != "HEAD"} == set(operations())
    assert {path for method, path in served if method == "HEAD"} == {p for m, p in operations() if m == "GET"}


def test_the_document_names_the_role_that_each_route_asks_for() -> None:
    named = {}
    for (method, path), operation in operations().items():
        roles = {role for scheme in operation.get("security", []) for held in scheme.values() for role in held}
        if roles and method != "OPTIONS" and "{session}" not in path and "{participant}" not in path:
            (named[method, path.format(room="main")],) = roles
    assert named.pop(("GET", "/r/main/me")) == "participant"
    assert named == {route: role.value for route, role in ROUTES.items()}


def test_a_token_in_the_address_is_for_reading_alone() -> None:
    for (method, path), operation in operations().items():
        schemes = {name for scheme in operation.get("security", []) for name in scheme}
        assert schemes <= ({"bearer", "link"} if method == "GET" else {"bearer"}), (method, path)


def test_the_document_has_every_code_of_http_and_no_other() -> None:
    listed = document()["components"]["schemas"]["Error"]["properties"]["error"]["properties"]["code"]["enum"]
    codes = {kind.code for kind in vars(errors).values() if is_error(kind)}
    assert set(listed) == codes - NOT_OF_HTTP
    in_words = PROTOCOL.read_text(encoding="utf-8").partition("### Errors")[2].partition("### Limits")[0]
    assert set(listed) <= set(re.findall(r"`([a-z_]+)`", in_words))


def test_every_code_stands_with_its_status() -> None:
    responses = document()["components"]["responses"]
    told = set()
    for operation in operations().values():
        for status, response in operation["responses"].items():
            name = response.get("$ref", "").rpartition("/")[2]
            for code in re.findall(r"`([a-z_]+)`", responses.get(name, {}).get("description", "")):
                assert statuses_of(code) == {int(status)}, code
                told.add(code)
    elsewhere = {"internal", "method_not_allowed"}  # any request's, and those of no documented one
    listed = document()["components"]["schemas"]["Error"]["properties"]["error"]["properties"]["code"]["enum"]
    assert told == set(listed) - elsewhere


def test_the_words_are_those_of_the_protocol() -> None:
    schemas = document()["components"]["schemas"]
    mood, segment = schemas["Mood"]["properties"], schemas["Stretches"]["properties"]["segments"]["items"]
    assert set(mood["label"]["enum"]) == set(Label)
    assert set(mood["reason"]["enum"]) == set(Reason)
    assert set(schemas["Participant"]["properties"]["state"]["enum"]) == set(ParticipantState) - {ParticipantState.GONE}
    assert set(schemas["Mode"]["enum"]) == set(Mode)
    assert set(segment["properties"]["state"]["enum"]) == set(Doing)


def test_any_yaml_reader_can_read_the_document() -> None:
    assert "<<" not in DOCUMENT.read_text(encoding="utf-8")  # merge keys are in no standard any more
