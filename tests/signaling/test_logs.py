"""Log lines, for people and for programs."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from signaling.logs import PACKAGES, JsonFormatter, LogFormat, configure_logging


def record(message: str, *arguments: object, exc_info: object = None) -> logging.LogRecord:
    made = logging.LogRecord("host.room", logging.WARNING, "room.py", 1, message, arguments, exc_info)  # type: ignore[arg-type]
    made.created, made.msecs = 1_700_000_000.25, 250.0
    return made


@contextmanager
def fresh_logging() -> Iterator[None]:
    """Logging as a new process has it."""
    loggers = [logging.getLogger(), *(logging.getLogger(name) for name in (*PACKAGES, "aioice"))]
    levels, handlers = [logger.level for logger in loggers], loggers[0].handlers
    loggers[0].handlers = []
    try:
        yield
    finally:
        logging.captureWarnings(False)
        loggers[0].handlers = handlers
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def test_a_line_is_an_object_with_time_level_logger_and_event() -> None:
    line = JsonFormatter().format(record("ended %d sessions: “%s”\nand more", 3, "ü"))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "warning",
        "logger": "host.room",
        "event": "ended 3 sessions: “ü”\nand more",
    }


def test_an_exception_comes_with_its_trace_on_the_same_line() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        print(1 // 0)
    line = JsonFormatter().format(record("failed", exc_info=(caught.type, caught.value, caught.tb)))
    assert "\n" not in line
    assert "print(1 // 0)" in json.loads(line)["trace"]


def test_every_line_of_the_process_is_json_warnings_of_python_too(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings(), fresh_logging():
        warnings.simplefilter("always")
        configure_logging(LogFormat.JSON)
        logging.getLogger("signaling.server").info("ours")
        logging.getLogger("signaling.server").debug("too much")
        logging.getLogger("aiortc").info("theirs")
        warnings.warn("something is old", stacklevel=1)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["level"], line["logger"]) for line in lines] == [
        ("info", "signaling.server"),
        ("warning", "py.warnings"),
    ]
    assert "something is old" in lines[1]["event"]


@pytest.mark.parametrize(
    ("said", "logged"),
    [
        ("Error handling request from 10.1.2.3", "Error handling request from [address]"),
        ("cannot connect to ('2001:db8::7', 8080, 0, 0)", "cannot connect to ('[address]', 8080, 0, 0)"),
        ("host [::ffff:10.1.2.3]:8080.", "host [[address]]:8080."),
        ("asked 10.1.2.3:8080.", "asked [address]:8080."),
        ("GET /r/main?token=abc&x=1 failed", "GET /r/main?token=[token]&x=1 failed"),
        ("Bearer eyJh.eyJi.c-_d is none", "Bearer [token] is none"),
        ("at 17:10:22 of 1.16.2 a[1:2] was std::string", "at 17:10:22 of 1.16.2 a[1:2] was std::string"),
    ],
)
@pytest.mark.parametrize("log_format", LogFormat)
def test_libraries_and_traces_tell_no_address_and_no_token(
    log_format: LogFormat, said: str, logged: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with fresh_logging():
        configure_logging(log_format)
        logging.getLogger("aiohttp.server").error("%s", said)
        logging.getLogger("host.room").error("it failed", exc_info=OSError(said))
    lines = capsys.readouterr().err
    assert lines.count(logged) == 2, lines
    assert said == logged or said not in lines


def test_what_our_own_words_say_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with fresh_logging():
        configure_logging(LogFormat.TEXT)
        logging.getLogger("signaling.rtc").warning("no relay: the TURN server %s:%d is silent", "10.1.2.3", 3478)
    assert "the TURN server 10.1.2.3:3478 is silent" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["aioice.ice", "aiortc", "aiohttp.access", "aiohttp.server", "asyncio"])
def test_libraries_that_tell_of_people_are_not_heard_with_verbose_either(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with fresh_logging():
        configure_logging(LogFormat.TEXT, verbose=True)
        logging.getLogger(name).info("candidate of Ana")
    assert capsys.readouterr().err == ""


def test_text_is_for_people_and_verbose_says_more(capsys: pytest.CaptureFixture[str]) -> None:
    with fresh_logging():
        configure_logging(LogFormat.TEXT, verbose=True)
        logging.getLogger("peer.join").debug("in detail")
    assert capsys.readouterr().err.endswith(" DEBUG peer.join: in detail\n")
