"""When a host that said no wants to be asked again: the header `Retry-After` (RFC 9110, 10.2.3)."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

MOST_S = 60.0
"""A host that names a later time than this is asked again all the same: it may have been wrong, or be another."""

SECONDS = re.compile(r"[0-9]+")


def retry_after_s(headers: Mapping[str, str]) -> float:
    """How long `headers` ask to wait, in seconds up to `MOST_S`; 0.0 if they do not say, or in no way that we know.

    A time of day is held against the host's own `Date`, since clocks differ.
    """
    said = headers.get("Retry-After", "").strip()
    if SECONDS.fullmatch(said):
        return min(float(said), MOST_S)
    then_s = _unix_s(said)
    if then_s is None:
        return 0.0
    now_s = _unix_s(headers.get("Date", "").strip())
    return min(max(then_s - (time.time() if now_s is None else now_s), 0.0), MOST_S)


def _unix_s(date: str) -> float | None:
    """An HTTP date, in any of its three forms, as Unix time; None for anything else."""
    if not date[:1].isalpha():  # every form begins with the day's name
        return None
    try:
        found = parsedate_to_datetime(date)
        return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
