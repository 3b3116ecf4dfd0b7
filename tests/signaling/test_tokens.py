"""Tokens: what each role may do, and every way a token can be wrong."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.errors import (
    ConfigInvalid,
    EdgeAttendError,
    RoleForbidden,
    RoomForbidden,
    TokenExpired,
    TokenInvalid,
    TokenMissing,
)
from signaling.tokens import ALGORITHM, MIN_SECRET_CHARS, Role, TokenAuthority, load_secret, parse_ttl

SECRET = "s" * MIN_SECRET_CHARS
AUTHORITY = TokenAuthority(SECRET)


def payload(**changes: object) -> dict[str, object]:
    """The claims of a good host token with some changed; None leaves one out."""
    claims: dict[str, object] = {"role": "host", "room": "main", "jti": "id1", "exp": time.time() + 60}
    return {key: value for key, value in (claims | changes).items() if value is not None}


def signed(claims: dict[str, object], secret: str = SECRET, algorithm: str = ALGORITHM) -> str:
    return jwt.encode(claims, secret, algorithm=algorithm)


@pytest.mark.parametrize(
    ("held", "asked", "allowed"),
    [
        (Role.VIEWER, Role.VIEWER, True),
        (Role.VIEWER, Role.PARTICIPANT, False),
        (Role.VIEWER, Role.HOST, False),
        (Role.PARTICIPANT, Role.VIEWER, True),
        (Role.PARTICIPANT, Role.PARTICIPANT, True),
        (Role.PARTICIPANT, Role.HOST, False),
        (Role.HOST, Role.VIEWER, True),
        (Role.HOST, Role.PARTICIPANT, True),
        (Role.HOST, Role.HOST, True),
    ],
)
def test_a_role_may_do_what_the_roles_below_it_may(held: Role, asked: Role, allowed: bool) -> None:
    token = AUTHORITY.issue(held, "main")
    if allowed:
        assert AUTHORITY.check(token, "main", asked).role is held
    else:
        with pytest.raises(RoleForbidden, match=f"expected a {asked} token, got a {held} token"):
            AUTHORITY.check(token, "main", asked)


def test_a_personal_token_carries_whom_it_stands_for() -> None:
    token = AUTHORITY.issue(Role.PARTICIPANT, "main", participant="p1", name="Ana", mode="aggregate")
    claims = AUTHORITY.check(token, "main", Role.PARTICIPANT)
    assert (claims.participant, claims.name, claims.mode) == ("p1", "Ana", "aggregate")


def test_an_invitation_names_nobody_and_each_has_an_id_of_its_own() -> None:
    one, other = (AUTHORITY.check(AUTHORITY.issue(Role.PARTICIPANT, "main"), None, Role.PARTICIPANT) for _ in range(2))
    assert one.participant is None
    assert one.name is None
    assert one.mode is None
    assert one.token_id != other.token_id


def test_a_token_is_for_one_room() -> None:
    token = AUTHORITY.issue(Role.HOST, "main")
    with pytest.raises(RoomForbidden):
        AUTHORITY.check(token, "other", Role.VIEWER)
    assert AUTHORITY.check(token, None, Role.VIEWER).room == "main"


def test_a_token_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr("signaling.tokens.time.time", lambda: now - 61)
    token = AUTHORITY.issue(Role.HOST, "main", ttl_s=60)
    monkeypatch.undo()
    with pytest.raises(TokenExpired):
        AUTHORITY.check(token, "main", Role.HOST)


@pytest.mark.parametrize("token", [None, ""])
def test_no_token_is_another_error_than_a_bad_one(token: str | None) -> None:
    with pytest.raises(TokenMissing):
        AUTHORITY.check(token, "main", Role.VIEWER)


def test_a_token_of_another_secret_is_invalid() -> None:
    with pytest.raises(TokenInvalid):
        AUTHORITY.check(TokenAuthority("t" * 32).issue(Role.HOST, "main"), "main", Role.HOST)


def test_a_token_without_a_signature_is_invalid() -> None:
    with pytest.raises(TokenInvalid):
        AUTHORITY.check(signed(payload(), "", "none"), "main", Role.HOST)


def test_a_token_of_another_algorithm_is_invalid_even_with_our_secret() -> None:
    with pytest.raises(TokenInvalid):
        AUTHORITY.check(signed(payload(), SECRET * 2, "HS512"), "main", Role.HOST)
    with pytest.raises(TokenInvalid):
        AUTHORITY.check(jwt.encode(payload(), SECRET * 2, algorithm="HS384"), "main", Role.HOST)


def test_a_token_whose_claims_were_swapped_is_invalid() -> None:
    head, _, signature = AUTHORITY.issue(Role.VIEWER, "main").split(".")
    claims = AUTHORITY.issue(Role.HOST, "main").split(".")[1]
    with pytest.raises(TokenInvalid):
        AUTHORITY.check(f"{head}.{claims}.{signature}", "main", Role.VIEWER)


@pytest.mark.parametrize("claim", ["role", "room", "jti", "exp"])
def test_a_token_that_lacks_a_claim_is_invalid(claim: str) -> None:
    with pytest.raises(TokenInvalid):
        AUTHORITY.check(signed(payload(**{claim: None})), None, Role.VIEWER)


@pytest.mark.parametrize("change", [{"role": "admin"}, {"role": ["host"]}, {"exp": "soon"}, {"sub": 5}, {"role": ""}])
def test_a_token_with_a_claim_we_never_write_is_invalid(change: dict[str, object]) -> None:
    with pytest.raises(TokenInvalid):
        AUTHORITY.check(signed(payload(**change)), None, Role.VIEWER)


def test_what_was_wrong_with_a_token_goes_to_the_log_alone() -> None:
    with pytest.raises(TokenInvalid) as caught:
        AUTHORITY.check("not.a.token", "main", Role.VIEWER)
    assert caught.value.detail
    assert caught.value.detail not in caught.value.message
    assert "not.a.token" not in caught.value.message


@pytest.mark.parametrize(
    "token", ["eyJsecret\udcff", "eyJsecret", "eyJsecret.secret.secret", "e30.eyJzZWNyZXQi.secret"]
)
def test_the_log_is_told_what_was_wrong_and_not_what_it_was(token: str) -> None:
    with pytest.raises(TokenInvalid) as caught:
        AUTHORITY.check(token, "main", Role.VIEWER)
    assert "secret" not in caught.value.detail


@given(st.text() | st.text(st.characters(categories=["Cs"]), min_size=1) | st.from_regex(r"\A[\w-]*\.[\w-]*\.[\w-]*\Z"))
def test_arbitrary_text_is_no_token_and_no_crash(text: str) -> None:
    with pytest.raises(EdgeAttendError) as caught:
        AUTHORITY.check(text, "main", Role.VIEWER)
    assert caught.value.status == 401


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ConfigInvalid, match="at least 32 characters, got 31"):
        TokenAuthority("s" * 31)
    assert len(TokenAuthority.new_secret()) >= MIN_SECRET_CHARS


def test_the_secret_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "edgeattend" / "secret"
    previous = os.umask(0)
    try:
        secret = load_secret(path)
    finally:
        os.umask(previous)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_secret(path) == secret
    assert TokenAuthority(secret)
    assert [file.name for file in path.parent.iterdir()] == ["secret"]


@pytest.mark.parametrize("kind", ["folder", "binary"])
def test_a_secret_file_that_cannot_be_read_is_an_error_with_its_path(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "secret"
    if kind == "folder":
        path.mkdir()
    else:
        path.write_bytes(b"\xff\xfe" * 32)
    with pytest.raises(ConfigInvalid, match=str(path)):
        load_secret(path)


def test_a_place_where_no_secret_can_be_made_is_an_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigInvalid, match="file/secret"):
        load_secret(tmp_path / "file" / "secret")


@pytest.mark.parametrize(("text", "seconds"), [("45s", 45), ("30m", 1800), ("8h", 28_800), ("7d", 604_800)])
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert parse_ttl(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "8", "h", "0h", "-1h", "1.5h", "8 h", "8h ", "8w", "1h30m", "²h", "٣h", "9" * 500 + "d", "9" * 5000 + "s"],
)
def test_any_other_duration_is_refused(text: str) -> None:
    with pytest.raises(ConfigInvalid, match="a duration like 45s, 30m, 8h or 7d"):
        parse_ttl(text)


def test_a_secret_file_that_holds_none_is_an_error_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("short\n")
    with pytest.raises(ConfigInvalid, match=rf"at least 32 characters in {path}, got 5"):
        load_secret(path)
    path.write_text("s" * 5000)
    with pytest.raises(ConfigInvalid, match=rf"{path}, got: a file of more than 4,096 bytes"):
        load_secret(path)


def test_a_pipe_in_the_place_of_the_secret_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "secret")
    with pytest.raises(ConfigInvalid, match="a pipe or a device"):
        load_secret(tmp_path / "secret")
