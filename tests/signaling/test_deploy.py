"""The files to run a server with: what they pass to it, it understands, and no secret is in a command line."""

from __future__ import annotations

import configparser
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

import edgeattend
from signaling.listener import OPEN_FILES
from signaling.server import ServeConfig

DEPLOY = Path(__file__).parents[2] / "docs" / "deploy"
VARIABLE = re.compile(r"\$\{([A-Z_]+):-([^}]*)\}")
"""The one form of Compose's variables that the file uses for them."""

SECRET = "a secret that is shared with coturn"
URLS = "turn:192.0.2.10:3478?transport=udp turn:192.0.2.10:3478?transport=tcp"


def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]
    return found


def environment(service: str, given: dict[str, str]) -> dict[str, str]:
    """What Compose makes of a service's variables."""
    asked: dict[str, str] = services()[service]["environment"]
    return {
        name: VARIABLE.sub(lambda found: given.get(found[1]) or found[2], value) for name, value in asked.items()
    } | {"XDG_STATE_HOME": "/nonexistent"}


def served(arguments: list[str], variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> ServeConfig:
    """How `edgeattend serve` would run."""
    configs: list[ServeConfig] = []

    async def run_server(config: ServeConfig, *_: object) -> None:
        configs.append(config)

    monkeypatch.setattr(edgeattend, "run_server", run_server)
    monkeypatch.setattr(edgeattend, "configure_logging", lambda *_, **__: None)
    monkeypatch.setattr(edgeattend, "self_signed", lambda *_: (Path("cert.pem"), Path("key.pem")))
    for name, value in (variables | {"EDGEATTEND_SECRET": "s" * 40}).items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(edgeattend.app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return configs[0]


def command_line(service: str) -> list[str]:
    """The words after `edgeattend`."""
    found = re.fullmatch(r"exec edgeattend (.+) > /dev/null", services()[service]["entrypoint"][2])
    assert found is not None
    return found[1].split()


def test_compose_gives_the_server_the_turn_servers_and_their_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = environment("edgeattend", {"TURN_URL": URLS, "TURN_SECRET": SECRET})
    config = served(command_line("edgeattend"), variables, monkeypatch)
    assert config.bind == "0.0.0.0"
    assert config.ice.turn == tuple(URLS.split())
    assert config.ice.turn_secret == SECRET


def test_compose_without_a_turn_server_runs_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    config = served(command_line("edgeattend"), environment("edgeattend", {}), monkeypatch)
    assert config.ice.turn == ()
    assert config.ice.turn_secret == ""


def test_both_sides_take_the_secret_from_the_same_variable_and_no_command_line_has_it() -> None:
    given = {"TURN_SECRET": SECRET, "TURN_PEER": "192.0.2.10", "TURN_URL": URLS}
    assert environment("edgeattend", given)["EDGEATTEND_TURN_SECRET"] == SECRET
    assert environment("coturn", given)["TURN_SECRET"] == SECRET
    for service in services().values():
        assert not VARIABLE.search(str(service["entrypoint"]))  # Compose would write them into the command line


def test_unit_and_compose_allow_the_open_files_that_the_server_asks_for_and_keep_no_links() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(DEPLOY / "edgeattend.service", encoding="utf-8")
    assert int(unit["Service"]["LimitNOFILE"]) == services()["edgeattend"]["ulimits"]["nofile"] == OPEN_FILES
    assert unit["Service"]["StandardOutput"] == "null"
    assert unit["Service"]["EnvironmentFile"] == "-/etc/edgeattend.env"
