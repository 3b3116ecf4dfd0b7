"""How log lines look: text for people, or one JSON object per line for programs."""

from __future__ import annotations

import contextlib
import enum
import ipaddress
import json
import logging
import re
import time
from typing import Any

TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

PACKAGES = ("edgeattend", "signaling", "host", "peer")
"""Ours; libraries are heard only when something is wrong."""

_TOKEN = re.compile(r"eyJ[\w.-]*|(?<=token=)[^\s'\"&<>]+")
"""A JSON Web Token, or what a link has for one."""

_ADDRESS = re.compile(r"(?<![\w.:])(?:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*|(?:[0-9]+\.){3}[0-9]+)(?!\w)")
"""What may be an address of IPv6 or IPv4."""


class LogFormat(enum.StrEnum):
    """What `--log-format` takes."""

    TEXT = "text"
    JSON = "json"


def discreet(text: str) -> str:
    """`text` without tokens and addresses of the network."""
    return _ADDRESS.sub(_without_address, _TOKEN.sub("[token]", text))


def _without_address(match: re.Match[str]) -> str:
    found = match[0]
    for text in (found, found.rstrip(".:")):
        with contextlib.suppress(ValueError):  # a time, a port, a slice
            if not ipaddress.ip_address(text).is_unspecified:
                return "[address]" + found[len(text) :]
    return found


class Discreet(logging.Formatter):
    """Takes out of the words of libraries, and of every trace, what they may tell of who was here.

    Our own words need none of it: they name nobody, and the address of a TURN server is one that its operator wants.
    """

    def said(self, record: logging.LogRecord) -> str:
        """The message."""
        message = record.getMessage()
        return message if record.name.partition(".")[0] in PACKAGES else discreet(message)

    def formatException(self, ei: Any) -> str:  # noqa: N802  logging's name
        """The trace."""
        return discreet(super().formatException(ei))


class TextFormatter(Discreet):
    """A line for people, and the trace below it where an exception is."""

    def __init__(self) -> None:
        super().__init__(TEXT)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's name
        """The line."""
        record.message = self.said(record)
        return super().formatMessage(record)


class JsonFormatter(Discreet):
    """`{"time", "level", "logger", "event"}`, and `trace` where an exception is; time in UTC (RFC 3339)."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": self.said(record),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def configure_logging(log_format: LogFormat = LogFormat.TEXT, *, verbose: bool = False) -> None:
    """Our words at INFO (DEBUG if `verbose`) on standard error; libraries only when something is wrong.

    aioice tells every candidate at INFO, and aiohttp would tell of each request: neither is let through by `verbose`.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if log_format is LogFormat.JSON else TextFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    if log_format is LogFormat.JSON:
        logging.captureWarnings(True)  # Python's own would be lines of text among the others
    for package in PACKAGES:
        logging.getLogger(package).setLevel(logging.DEBUG if verbose else logging.INFO)
    logging.getLogger("aioice").setLevel(logging.ERROR)
