"""How log lines look: text for people, or one JSON object per line for programs."""

from __future__ import annotations

import enum
import json
import logging
import time

TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

PACKAGES = ("edgeattend", "signaling", "host", "peer")
"""Ours; libraries are heard only when something is wrong."""


class LogFormat(enum.StrEnum):
    """What `--log-format` takes."""

    TEXT = "text"
    JSON = "json"


class JsonFormatter(logging.Formatter):
    """`{"time", "level", "logger", "event"}`, and `trace` where an exception is; time in UTC (RFC 3339)."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def configure_logging(log_format: LogFormat = LogFormat.TEXT, *, verbose: bool = False) -> None:
    """Our words at INFO (DEBUG if `verbose`) on standard error; libraries only when something is wrong."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if log_format is LogFormat.JSON else logging.Formatter(TEXT))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    if log_format is LogFormat.JSON:
        logging.captureWarnings(True)  # Python's own would be lines of text among the others
    for package in PACKAGES:
        logging.getLogger(package).setLevel(logging.DEBUG if verbose else logging.INFO)
    logging.getLogger("aioice").setLevel(logging.ERROR)
