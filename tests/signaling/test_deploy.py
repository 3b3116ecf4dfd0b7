"""The files to run a server with, and the operations page: what they pass to it, it understands, and no secret is in a
command line."""

from __future__ import annotations

import configparser
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

import edgeattend
from signaling.listener import OPEN_FILES
from signaling.server import ServeConfig

DOCS = Path(__file__).parents[2] / "docs"
DEPLOY = DOCS / "deploy"
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


def test_behind_the_proxy_of_the_operations_page_limits_count_whom_it_saw(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (DOCS / "operations.md").read_text(encoding="utf-8")
    section = page.partition("### Behind a reverse proxy")[2].partition("\n## ")[0]
    command = re.search(r"`edgeattend (serve [^`]+)`", section)
    assert command is not None
    config = served(command[1].split(), {}, monkeypatch)
    assert config.bind == "127.0.0.1"
    assert config.limits.trusted == "127.0.0.1"
    location = re.search(r"location / \{(.*?)\}", section, re.DOTALL)
    assert location is not None
    lines = {" ".join(line.partition("#")[0].split()) for line in location[1].splitlines()}
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in lines  # alone: nginx would pass on what a stranger wrote
    assert any(line.startswith("add_header Strict-Transport-Security ") for line in lines)
    assert f"proxy_pass http://{config.bind}:{config.port};" in lines


@pytest.mark.parametrize("words", ["systemd-run", "ExecStart=/opt"])
def test_the_commands_of_the_operations_page_for_the_unit_are_understood(words: str) -> None:
    page = (DOCS / "operations.md").read_text(encoding="utf-8")
    (line,) = [line for line in page.splitlines() if words in line]
    name, *arguments = line.partition("/.venv/bin/edgeattend ")[2].split()
    command = get_command(edgeattend.app)
    assert isinstance(command, TyperGroup)
    options = {option for one in command.commands[name].params for option in one.opts}
    assert {argument for argument in arguments if argument.startswith("--")} <= options
