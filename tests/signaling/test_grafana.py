"""What is made of the metrics elsewhere: dashboard, alerts and the operations page ask for what the server exports."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.signaling.conftest import Client
from tests.signaling.test_metrics import scrape

DOCS = Path(__file__).parents[2] / "docs"
DASHBOARD = DOCS / "deploy" / "grafana-dashboard.json"
METRIC = re.compile(r"\bedgeattend_[a-z_]+")
LABELS = re.compile(r"(?:by|on) \(([a-z_, ]+)\)|\{([a-z_]+)=|\{\{([a-z_]+)\}\}|, ([a-z_]+)\)$")
"""Where a query or its legend names a label."""


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return found


async def exported(client: Client) -> tuple[set[str], set[str]]:
    """Names of samples, and of their labels."""
    _, families = await scrape(client)
    samples = [sample for family in families.values() for sample in family.samples]
    return {sample.name for sample in samples}, {label for sample in samples for label in sample.labels}


@pytest.mark.parametrize("page", ["deploy/grafana-dashboard.json", "deploy/alerts.yml", "operations.md"])
async def test_every_metric_that_is_asked_for_is_one_the_server_exports(client: Client, page: str) -> None:
    named = set(METRIC.findall((DOCS / page).read_text(encoding="utf-8")))
    names, _ = await exported(client)
    assert len(named) > 3
    assert named <= names


async def test_every_label_on_the_dashboard_is_one_the_server_exports(client: Client) -> None:
    texts = [text for panel in panels() for target in panel["targets"] for text in target.values()]
    named = {label for text in texts for groups in LABELS.findall(str(text)) for label in groups if label}
    _, labels = await exported(client)
    assert "state" in named
    assert named <= labels


def test_every_panel_asks_for_something_in_a_place_of_its_own() -> None:
    places = set[tuple[int, int]]()
    for panel in panels():
        assert panel["targets"]
        assert panel["description"]
        at = panel["gridPos"]
        covered = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not covered & places
        places |= covered
