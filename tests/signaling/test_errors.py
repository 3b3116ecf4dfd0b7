"""Errors as the protocol document lists them."""

from __future__ import annotations

import pytest

from signaling import errors
from signaling.errors import EdgeAttendError, place_of

EVERY = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, EdgeAttendError)]


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [error.code for error in EVERY]
    assert len(set(codes)) == len(codes) > 20


@pytest.mark.parametrize("kind", EVERY)
def test_an_error_tells_the_user_its_message_and_the_log_its_detail(kind: type[EdgeAttendError]) -> None:
    error = kind("expected this, got that", detail="a trace")
    assert str(error) == error.message == "expected this, got that"
    assert error.detail == "a trace"
    assert 400 <= error.status < 600
    assert error.code.replace("_", "").islower()


def test_a_detail_says_where_it_went_wrong_and_not_with_what() -> None:
    with pytest.raises(ValueError, match="secret") as caught:
        int("secret")
    assert place_of(caught.value).startswith("ValueError at test_errors.py:")
    assert "secret" not in place_of(caught.value)
    assert place_of(ValueError("secret")) == "ValueError"
