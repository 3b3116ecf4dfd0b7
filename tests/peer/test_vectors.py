"""Python against the table that the browser is held to as well."""

from __future__ import annotations

import json
from typing import Any

import pytest

from peer.perception.attention import SteadyReader
from peer.perception.signals import Signals
from signaling.protocol import Reason
from tests.peer import vectors

TABLE: dict[str, Any] = json.loads(vectors.PATH.read_text(encoding="utf-8"))


@pytest.mark.parametrize("scenario", TABLE["scenarios"], ids=lambda scenario: scenario["name"])
def test_the_reader_says_what_the_table_says(scenario: dict[str, Any]) -> None:
    reader = SteadyReader(scenario["threshold"])
    for number, step in enumerate(scenario["steps"]):
        if step == vectors.CLEAR:
            reader.clear()
            continue
        time_s, row, expected = step
        verdict = reader.push(time_s, vectors.reading_of(row))
        said = (
            None
            if verdict is None
            else [verdict.label, pytest.approx(verdict.score, abs=1e-6), verdict.reason, verdict.detail]
        )
        assert said == expected, f"step {number}, python -m tests.peer.vectors writes the table anew"


@pytest.mark.parametrize("face", TABLE["faces"], ids=str)
def test_the_limits_say_what_the_table_says(face: dict[str, Any]) -> None:
    found = vectors.judged(Signals(*face["signals"]))
    margins = found.pop("margins")
    assert {key: face[key] for key in found} == pytest.approx(found, abs=1e-6)
    assert face["margins"] == pytest.approx(margins, abs=1e-6)


def test_the_table_is_the_one_that_the_scenarios_make() -> None:
    made = vectors.table()
    assert [(one["name"], len(one["steps"])) for one in TABLE["scenarios"]] == [
        (one["name"], len(one["steps"])) for one in made["scenarios"]
    ]
    assert [one["signals"] for one in TABLE["faces"]] == [one["signals"] for one in made["faces"]]


def test_the_table_knows_every_reason_that_a_look_can_give() -> None:
    said = {step[2][2] for one in TABLE["scenarios"] for step in one["steps"] if step != vectors.CLEAR and step[2]}
    assert said == {str(reason) for reason in Reason} - {"paused", "no_model"}
