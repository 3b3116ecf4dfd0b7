"""The browser's reading of people against the same table as Python's: `tests/peer/perception_vectors.json`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.async_api import Page

from tests.browser.conftest import OpenPage
from tests.browser.meeting import Meeting
from tests.peer import vectors

TABLE: dict[str, Any] = json.loads(vectors.PATH.read_text(encoding="utf-8"))

READ = """
async (scenarios) => {
    const { SteadyReader } = await import("/static/perception/attention.js");
    const { SIGNAL_NAMES } = await import("/static/perception/signals.js");
    const readingOf = ([score, ...columns]) => ({
        score, signals: columns.length ? Object.fromEntries(SIGNAL_NAMES.map((name, at) => [name, columns[at]])) : null,
    });
    return scenarios.map(({ threshold, steps }) => {
        const reader = new SteadyReader(threshold);
        return steps.map((step) => {
            if (step === "clear") return reader.clear() ?? null;
            const verdict = reader.push(step[0], step[1] && readingOf(step[1]));
            return verdict && [verdict.label, verdict.score, verdict.reason, verdict.detail];
        });
    });
}
"""

JUDGE = """
async (faces) => {
    const { describe, eyesMargin, headMargin, margins } = await import("/static/perception/limits.js");
    const { SIGNAL_NAMES } = await import("/static/perception/signals.js");
    return faces.map((columns) => {
        const signals = Object.fromEntries(SIGNAL_NAMES.map((name, at) => [name, columns[at]]));
        return {
            margins: Object.fromEntries([...margins(signals)].map(([key, of]) => [key, isFinite(of) ? of : null])),
            head: headMargin(signals),
            eyes: eyesMargin(signals),
            turned: describe("turned", signals),
            down: describe("down", signals),
        };
    });
}
"""


async def open_bare(meeting: Meeting, open_page: OpenPage) -> Page:
    """A page of the server, with its policies, on which nothing runs."""
    return await open_page(meeting.links.viewer_url.split("/r/")[0] + "/static/error.html")


async def test_the_browser_reads_people_as_the_table_says(meeting: Meeting, open_page: OpenPage) -> None:
    page = await open_bare(meeting, open_page)
    scenarios = TABLE["scenarios"]
    for scenario, said in zip(scenarios, await page.evaluate(READ, scenarios), strict=True):
        for number, (step, verdict) in enumerate(zip(scenario["steps"], said, strict=True)):
            expected = None if step == vectors.CLEAR else step[2]
            if expected is not None:
                expected = [expected[0], pytest.approx(expected[1], abs=1e-6), *expected[2:]]
            assert verdict == expected, f"{scenario['name']}, step {number}"


async def test_the_browser_knows_the_same_limits(meeting: Meeting, open_page: OpenPage) -> None:
    page = await open_bare(meeting, open_page)
    faces = TABLE["faces"]
    for face, found in zip(faces, await page.evaluate(JUDGE, [face["signals"] for face in faces]), strict=True):
        margins = found.pop("margins")
        assert margins == pytest.approx(face["margins"], abs=1e-6), face
        assert found == pytest.approx({key: face[key] for key in found}, abs=1e-6), face
