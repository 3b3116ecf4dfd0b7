"""Standard output that can neither block nor break a meeting."""

from __future__ import annotations

import io
import os
import threading
from typing import TextIO

from signaling.output import MAX_QUEUED, Output


def pipe() -> tuple[TextIO, TextIO]:
    reader, writer = os.pipe()
    return os.fdopen(reader, "r", encoding="utf-8"), os.fdopen(writer, "w", encoding="utf-8")


def test_texts_come_out_in_order() -> None:
    stream = io.StringIO()
    output = Output(stream)
    for number in range(100):
        output.write(f"{number}\n")
    output.close()
    assert stream.getvalue().split() == [str(number) for number in range(100)]


def test_a_reader_who_sleeps_holds_nobody_up() -> None:
    reader, writer = pipe()
    output = Output(writer)
    for _ in range(3 * MAX_QUEUED):
        output.write("x" * 1000 + "\n")  # far more than pipe and queue take; the test would hang here
    with reader:
        assert reader.readline() == "x" * 1000 + "\n"
    output.close()
    writer.close()


def test_a_reader_who_goes_away_is_told_of_once_and_breaks_nothing() -> None:
    reader, writer = pipe()
    broken = threading.Event()
    calls: list[bool] = []

    def on_broken() -> None:
        calls.append(True)
        broken.set()

    output = Output(writer, on_broken)
    reader.close()
    output.write("anybody there?\n")
    assert broken.wait(5)
    for _ in range(2 * MAX_QUEUED):
        output.write("no\n")
    output.close()
    assert calls == [True]
    writer.close()


def test_characters_that_the_terminal_does_not_have_are_replaced() -> None:
    raw = io.BytesIO()
    output = Output(io.TextIOWrapper(raw, encoding="ascii"))
    output.write("✓ Zoë\n")
    output.close()
    assert raw.getvalue() == b"? Zo?\n"
