"""What is made of the metrics elsewhere: dashboard, alerts and the operations page ask for what the server exports."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.signaling.conftest import Client
from tests.signaling.test_metrics import scrape

DOCS = Path(__file__).parents[2] / "docs"
DASHBOARD = DOCS / "deploy" / "grafana-dashboard.json"
METRIC = re.compile(r"\b(?:edgeattend|process)_[a-z_]+")
LABELS = re.compile(r"(?:by|on) \(([a-z_, ]+)\)|\{([a-z_]+)=|\{\{([a-z_]+)\}\}|, ([a-z_]+)\)$")
"""Where a query or its legend names a label."""

ADDED_BY_PROMETHEUS = {"job", "instance"}
"""Labels that say which server it was that answered."""


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return found


def named(page: str) -> set[str]:
    """Metrics that a file of the documentation names."""
    return set(METRIC.findall((DOCS / page).read_text(encoding="utf-8")))


async def exported(client: Client) -> tuple[set[str], set[str]]:
    """Names of samples, and of their labels."""
    _, families = await scrape(client)
    samples = [sample for family in families.values() for sample in family.samples]
    return {sample.name for sample in samples}, {label for sample in samples for label in sample.labels}


async def described(client: Client) -> set[str]:
    """Names as a table has them: a histogram once, without the suffixes of its samples."""
    _, families = await scrape(client)
    return {family.name + "_total" * (family.type == "counter") for family in families.values()}


@pytest.mark.parametrize("page", ["deploy/grafana-dashboard.json", "deploy/alerts.yml"])
async def test_every_metric_that_is_asked_for_is_one_the_server_exports(client: Client, page: str) -> None:
    names, _ = await exported(client)
    assert len(named(page)) > 3
    assert named(page) <= names


async def test_the_operations_page_describes_every_metric_that_the_server_exports_and_no_other(client: Client) -> None:
    names = await described(client)
    assert named("operations.md") <= names
    assert {name for name in names if name.startswith("edgeattend_")} <= named("operations.md")


async def test_the_dashboard_shows_every_metric_of_ours(client: Client) -> None:
    shown = {name.removesuffix("_bucket") for name in named("deploy/grafana-dashboard.json")}
    assert {name for name in await described(client) if name.startswith("edgeattend_")} <= shown


def test_the_operations_page_says_how_many_alerts_there_are() -> None:
    rules = yaml.safe_load((DOCS / "deploy" / "alerts.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
    assert len(rules) == 8
    assert "has eight rules" in (DOCS / "operations.md").read_text(encoding="utf-8")


async def test_every_label_on_the_dashboard_is_one_the_server_exports(client: Client) -> None:
    texts = [text for panel in panels() for target in panel["targets"] for text in target.values()]
    found = {label for text in texts for groups in LABELS.findall(str(text)) for label in ", ".join(groups).split(", ")}
    _, labels = await exported(client)
    assert "state" in found
    assert found - {""} <= labels | ADDED_BY_PROMETHEUS


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
