"""The stage `render` with a worker that only pretends: who is asked for what, what dies, what goes on."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from tests.training.rendered import make_truth
from training.errors import TrainingFailed
from training.faces import render
from training.faces.assets import Asset, check, manifest
from training.faces.render import RenderConfig
from training.faces.truth import TRUTH_FILE, read_truth
from training.files import write_bytes
from training.images import to_jpeg

FAKE_WORKER = """
import os, sys
from pathlib import Path
folder, lines = Path(sys.argv[1]), Path(sys.argv[2]).read_text().splitlines()
for word in sys.stdin:
    number = int(word)
    once = folder / f"died-{number}"
    if number in DIES and (ALWAYS or not once.exists()):
        once.touch()
        os._exit(1)
    if number in FAILS:
        print('{"failed": %d, "error": "no light"}' % number, flush=True)
        continue
    (folder / "images").mkdir(exist_ok=True)
    (folder / f"images/{number:07d}.jpg").write_bytes(Path(sys.argv[3]).read_bytes())
    with (folder / "asked").open("a") as asked:
        asked.write(f"{number}\\n")
    print('{"truth": %s}' % lines[number], flush=True)
"""


class Renderer:
    """Runs the stage with fake workers in `out`."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.out = tmp_path / "out"
        self._folder, self._monkeypatch = tmp_path, monkeypatch
        truths = [make_truth(number, file=f"images/{number:07d}.jpg") for number in range(64)]
        (tmp_path / "lines").write_bytes(b"\n".join(msgspec.json.encode(truth) for truth in truths))
        write_bytes(tmp_path / "picture.jpg", to_jpeg(np.zeros((8, 8, 3), np.uint8)))
        monkeypatch.setattr(render, "find_spec", lambda _: True)
        monkeypatch.setattr(render, "check", lambda *_: None)

    def run(self, count: int, *, start: int = 0, dies: str = "()", always: bool = False, fails: str = "()") -> None:
        script = self._folder / "worker.py"
        head = f"DIES, ALWAYS, FAILS = {dies}, {always}, {fails}\n"
        script.write_text(head + FAKE_WORKER)
        command = [str(script), str(self.out), str(self._folder / "lines"), str(self._folder / "picture.jpg")]
        self._monkeypatch.setattr(render, "worker_command", lambda _: [sys.executable, *command])
        render.run(RenderConfig(self._folder, self.out, count, start=start, jobs=2))

    @property
    def asked(self) -> list[int]:
        return sorted(int(line) for line in (self.out / "asked").read_text().splitlines())

    @property
    def told(self) -> list[int]:
        return [truth.id for truth in read_truth(self.out)]


@pytest.fixture
def renderer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Renderer:
    return Renderer(tmp_path, monkeypatch)


def test_each_image_gets_its_line_of_truth_and_the_sheets_are_drawn(renderer: Renderer) -> None:
    renderer.run(10)
    assert renderer.told == list(range(10)) == renderer.asked
    assert (renderer.out / "sheets/modes.jpg").is_file()
    assert (renderer.out / "sheets/people.jpg").is_file()


def test_what_is_there_is_not_rendered_again(renderer: Renderer) -> None:
    renderer.run(6)
    (renderer.out / "images/0000002.jpg").unlink()
    renderer.run(12)
    assert renderer.asked == sorted([*range(12), 2])


def test_a_line_that_a_killed_run_left_half_is_cut_off(renderer: Renderer) -> None:
    renderer.run(4)
    truth = renderer.out / TRUTH_FILE
    truth.write_bytes(truth.read_bytes()[:-20])
    renderer.run(4)
    assert renderer.told == [0, 1, 2, 3]
    assert len(truth.read_bytes().splitlines()) == 4


def test_a_worker_that_dies_once_is_replaced(renderer: Renderer) -> None:
    renderer.run(12, dies="(5,)")
    assert renderer.told == list(range(12))


def test_a_group_whose_worker_always_dies_is_named_and_the_rest_goes_on(
    renderer: Renderer, capsys: pytest.CaptureFixture[str]
) -> None:
    renderer.run(12, dies="(5,)", always=True)
    assert renderer.told == [0, 1, 2, 3, 4, 8, 9, 10, 11]
    assert "image 5 could not be rendered: Blender's process died" in capsys.readouterr().err


def test_an_image_that_fails_is_named_and_the_rest_of_its_group_goes_on(
    renderer: Renderer, capsys: pytest.CaptureFixture[str]
) -> None:
    renderer.run(8, fails="(1, 6)")
    assert renderer.told == [0, 2, 3, 4, 5, 7]
    assert "WARNING: image 1 could not be rendered: no light" in capsys.readouterr().err


def test_nothing_rendered_at_all_is_an_error(renderer: Renderer) -> None:
    with pytest.raises(TrainingFailed, match=r"expected images in .*, got none: no light"):
        renderer.run(4, fails="(0, 1, 2, 3)")


def test_a_blender_that_never_starts_is_given_up_with_its_last_words(
    renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = renderer.out / "starts"
    broken = f"open({str(starts)!r}, 'a').write('x'); raise ImportError('libXrender.so.1: no such file')"
    monkeypatch.setattr(render, "worker_command", lambda _: [sys.executable, "-S", "-c", broken])
    with pytest.raises(TrainingFailed, match=r"got 6 that died .* without an image: ImportError: libXrender.so.1: no"):
        render.run(RenderConfig(renderer.out, renderer.out, 400, jobs=2))
    assert len(starts.read_text()) <= 2 * 6


def test_images_of_another_version_of_the_renderer_are_not_added_to(renderer: Renderer) -> None:
    renderer.run(4)
    truth = renderer.out / TRUTH_FILE
    truth.write_bytes(truth.read_bytes().replace(b'"renderer":1', b'"renderer":0'))
    with pytest.raises(TrainingFailed, match=r"version 1 in .*, got ones of version 0: .* take another --out"):
        renderer.run(8)
    assert renderer.told == [0, 1, 2, 3]


def test_without_blender_the_error_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "find_spec", lambda _: None)
    with pytest.raises(TrainingFailed, match="got no bpy: make the renderer's own environment"):
        render.run(RenderConfig(tmp_path, tmp_path / "out", 4))


def test_assets_that_are_missing_or_of_another_version_are_named(tmp_path: Path) -> None:
    here = Asset("a.obj", "0" * 64, "", "CC0-1.0", "verbatim")
    (tmp_path / "a.obj").write_text("v 0 0 0")
    gone = [Asset(f"b{number}.obj", "0" * 64, "", "CC0-1.0", "verbatim") for number in range(9)]
    with pytest.raises(TrainingFailed) as caught:
        check(tmp_path, [here, *gone])
    assert "a.obj: another version (sha256 " in str(caught.value)
    assert "b0.obj: missing" in str(caught.value)
    assert "and 2 more" in str(caught.value)
    with pytest.raises(TrainingFailed, match="got no such folder"):
        check(tmp_path / "nowhere", [here])


def test_every_asset_is_free_and_none_is_a_skin() -> None:
    assets = manifest()
    assert len(assets) == len({asset.path for asset in assets}) == 518
    assert {asset.licence for asset in assets} == {"CC0-1.0"}
    assert not [asset.path for asset in assets if asset.path.startswith("skins/")]
