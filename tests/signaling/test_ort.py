"""The three files of ONNX Runtime Web that browsers load, and what is said where npm has not been run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from signaling import doctor, ort
from signaling.check import Verdict
from signaling.http import STATIC
from tests.signaling.conftest import Client
from tests.signaling.test_doctor import find


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for what npm installs, with the version that package.json pins."""
    folder = tmp_path / "onnxruntime-web"
    (folder / "dist").mkdir(parents=True)
    for name in ort.TYPES:
        (folder / "dist" / name).write_text(name)
    (folder / "dist" / "ort.all.min.mjs").touch()
    (folder / "package.json").write_text(json.dumps({"version": ort.pinned()}))
    monkeypatch.setattr(ort, "PACKAGE", folder)
    return folder


async def test_browsers_get_the_three_files_and_no_other(client: Client, package: Path) -> None:
    for name, content_type in ort.TYPES.items():
        response = await client.request("GET", f"/ort/{name}", None)
        assert (response.status, response.content_type) == (200, content_type)
        assert await response.text() == name
    for name in ("ort.all.min.mjs", "..%2Fpackage.json"):
        assert (await client.request("GET", f"/ort/{name}", None)).status == 404


async def test_who_takes_compressed_files_gets_them(client: Client, package: Path) -> None:
    (package / "dist" / "ort.wasm.min.mjs.gz").write_bytes(b"\x1f\x8b")
    response = await client.request("HEAD", "/ort/ort.wasm.min.mjs", None, headers={"Accept-Encoding": "gzip"})
    assert (response.headers["Content-Encoding"], response.content_type) == ("gzip", "text/javascript")


async def test_without_npm_the_files_are_not_found_and_doctor_says_how_to_get_them(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ort, "PACKAGE", tmp_path)
    assert await client.error("GET", "/ort/ort.wasm.min.mjs", None) == (404, "not_found")
    check = find("browser inference", doctor.checks(tmp_path / "secret", "127.0.0.1", 0, None))
    assert check.verdict is Verdict.WARNING
    assert "join without a label" in check.found
    assert "ort.wasm.min.mjs" in check.found
    assert ort.INSTALL in check.advice


def test_doctor_warns_of_another_version_than_the_pinned_one(package: Path, tmp_path: Path) -> None:
    def said() -> tuple[Verdict, str]:
        check = find("browser inference", doctor.checks(tmp_path / "secret", "127.0.0.1", 0, None))
        return check.verdict, check.found

    if all((STATIC / "models" / name).is_file() for name in doctor.MODELS):
        assert said() == (Verdict.OK, f"onnxruntime-web {ort.pinned()} and the models")
    (package / "package.json").write_text('{"version": "1.0.0"}')
    verdict, found = said()
    assert verdict is Verdict.WARNING
    assert found.startswith("onnxruntime-web 1.0.0") or "missing" in found
    (package / "package.json").write_text("not JSON")
    assert ort.installed() is None


def test_the_pinned_version_is_exact() -> None:
    assert ort.pinned() is not None
    assert str(ort.pinned()).replace(".", "").isdigit()
