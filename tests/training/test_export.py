"""The exported model: which one it is, that it says what PyTorch says, and that a participant can run it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from peer.perception.classifier import AttentionClassifier
from signaling.errors import ConfigInvalid, ModelUnavailable
from tests.training.made_run import TEMPERATURE, THRESHOLD, listed, made_original, record, row, write_comparison
from training import export
from training.calibration import Calibration, save_calibration
from training.card import Parity
from training.choice import choose
from training.errors import TrainingFailed
from training.export import ExportConfig, check_parity
from training.files import sha256_of
from training.images import read_crop
from training.model import PARAMETERS
from training.splits import load_splits
from training.stage import read_record
from training.variants import Variant, collect_variants

OTHER = "structural_no_ft_onnx_fp32"
FP32 = row("fp32", validation_balanced_accuracy=0.981)


@pytest.fixture
def run(tiny_original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the whole run, compared: the ONNX file of the whole model is good, the others are not."""
    run = Path(shutil.copytree(made_original(tiny_original), tmp_path / "run"))
    monkeypatch.setattr(export, "PARITY_CROPS", 12)
    write_comparison(run, fp32=0.9, onnx_fp32=0.9, structural_no_ft_onnx_fp32=0.7)
    return run


def onnx(name: str, balanced: float, ms: float, **more: Any) -> dict[str, Any]:
    return row(name, validation_balanced_accuracy=balanced, ms_batch1=ms, **more)


def test_the_cheapest_model_that_is_as_good_as_fp32_is_chosen() -> None:
    rows = [
        FP32,
        onnx("onnx_fp32", 0.981, 4.7),
        onnx("onnx_int8", 0.979, 2.3),
        onnx("structural_ft_onnx_int8", 0.9789, 0.4),
    ]
    found = choose(rows)
    assert found.names == ("onnx_int8", "onnx_fp32")
    assert "(2 of 3) that lose at most 0.2 points" in found.rule
    assert [line.split()[0] for line in found.table] == ["structural_ft_onnx_int8", "onnx_int8", "onnx_fp32"]
    assert "loses too much" in found.table[0]


def test_a_pruned_model_wins_where_it_is_as_good() -> None:
    found = choose([FP32, onnx("onnx_int8", 0.981, 2.3), onnx("structural_ft_onnx_fp32", 0.98, 0.4)])
    assert found.names[0] == "structural_ft_onnx_fp32"


def test_the_test_part_has_no_say() -> None:
    rows = [
        FP32,
        onnx("onnx_int8", 0.90, 2.3, balanced_accuracy=0.99, accuracy=0.99),
        onnx("onnx_fp32", 0.981, 4.7, balanced_accuracy=0.5, accuracy=0.5),
    ]
    assert choose(rows).names == ("onnx_fp32",)


def test_the_best_one_is_chosen_where_none_is_good_enough() -> None:
    found = choose([FP32, onnx("onnx_int8", 0.9, 2.3), onnx("onnx_fp32", 0.95, 4.7)])
    assert found.names[0] == "onnx_fp32"
    assert "no ONNX model keeps within 0.2 points" in found.rule


def test_only_onnx_models_go_onto_devices() -> None:
    rows = [FP32, row("fx_int8_x86", runtime="fx"), onnx("onnx_int8", 0.5, 2.3)]
    assert choose(rows, "onnx_int8").names == ("onnx_int8",)
    for name in ("fx_int8_x86", "best"):
        with pytest.raises(TrainingFailed, match=f"one of onnx_int8, got '{name}'"):
            choose(rows, name)
    with pytest.raises(TrainingFailed, match="run `quantize` first"):
        choose([FP32])


def test_the_exported_model_runs_in_a_participants_classifier(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export.run(ExportConfig(run))
    said = capsys.readouterr().out
    assert "chosen: onnx_fp32" in said
    assert "onnx_fp32 beside attentive_model.pth on 12 crops: probabilities differ by" in said
    classifier = AttentionClassifier(run / "attention.onnx")
    assert classifier.card.crop_scale == 1.0
    assert classifier.card.threshold == THRESHOLD
    crop = read_crop(run / load_splits(run)["test"][0].file)
    assert f"gives a test crop {classifier.score(crop):.3f}" in said
    assert sha256_of(run / "attention.onnx") == sha256_of(run / "attentive_fp32.onnx")
    export.run(ExportConfig(run))
    assert "done already" in capsys.readouterr().out


def test_the_card_tells_what_the_model_is(run: Path) -> None:
    export.run(ExportConfig(run))
    card = json.loads((run / "attention.json").read_text())
    assert card["input"] == "face: (N,160,160,3) uint8 RGB"
    assert card["outputs"] == {"attentive": "(N,) probability"}
    assert (card["precision"], card["parameters"], card["temperature"]) == ("fp32", PARAMETERS, TEMPERATURE)
    assert card["trained_on"] == {"data": "unknown", "images": 138, "augmented": 0, "persons": 8, "split": "subject"}
    assert (card["metrics"]["part"], card["metrics"]["images"], card["metrics"]["persons"]) == ("test", 34, 2)
    for name in ("accuracy", "balanced_accuracy", "roc_auc"):
        low, high = card["metrics"][name]["interval_95"]
        assert 0 <= low <= card["metrics"][name]["value"] <= high <= 1
    assert card["parity"]["crops"] == 12
    assert card["parity"]["max_difference"] < 1e-3
    assert card["split_sha256"] == load_splits(run).sha256
    assert card["made_from"]["file"] == "attentive_model.pth"
    assert "torch" in card["made_with"]
    assert card["sha256"] == sha256_of(run / "attention.onnx")
    text = (run / "model-card.md").read_text()
    for title in ("Intended use", "Factors", "Quantitative analyses", "Ethical considerations", "Caveats"):
        assert f"## {title}" in text
    assert card["sha256"] in text
    assert str(run) not in text + (run / "attention.json").read_text()
    assert not any(name in text for name in set(load_splits(run).persons("test"))), "no person is named"


def test_a_pruned_model_has_a_temperature_and_a_threshold_of_its_own(run: Path) -> None:
    export.run(ExportConfig(run, variant=OTHER))
    card = json.loads((run / "attention.json").read_text())
    assert card["temperature"] != TEMPERATURE
    assert card["made_from"]["file"] == "small.pth"
    assert card["parity"]["max_difference"] < 1e-3, "the temperature is the one inside the file"
    assert AttentionClassifier(run / "attention.onnx").card.threshold == card["threshold"]


def test_a_file_with_an_older_temperature_inside_is_refused(run: Path) -> None:
    splits = load_splits(run)
    save_calibration(run, Calibration(2 * TEMPERATURE, 0.3), split_sha256=splits.sha256, validation={})
    with pytest.raises(TrainingFailed, match=r"temperature 2.6 of calibration.json inside, got 1.3.*train quantize"):
        export.run(ExportConfig(run))
    assert not (run / "attention.onnx").exists()


def test_the_card_puts_file_and_fp32_side_by_side_at_one_threshold(run: Path) -> None:
    document = json.loads((run / "comparison.json").read_text())
    document["variants"][0]["balanced_accuracy"] = 0.9123
    document["variants"][1]["balanced_accuracy"] = 0.9101
    (run / "comparison.json").write_text(json.dumps(document))
    export.run(ExportConfig(run))
    assert (
        "both at threshold 0.5 on the test part: balanced accuracy 0.910, FP32 0.912"
        in (run / "model-card.md").read_text()
    )


def test_another_folder_gets_model_and_card(run: Path, tmp_path: Path) -> None:
    target = tmp_path / "device" / "models"
    export.run(ExportConfig(run, to=target))
    assert sorted(path.name for path in target.iterdir()) == ["attention.json", "attention.onnx"]
    assert AttentionClassifier(target / "attention.onnx")
    assert not (run / "attention.onnx").exists()
    assert "../device/models/attention.onnx" in read_record(run, "export")["outputs"]


@pytest.mark.parametrize("variant", ["onnx_int8", OTHER])
def test_browsers_get_the_network_of_the_peers_in_fp32_and_half_the_bytes(
    variant: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(export, "MIN_AGREEMENT", 0.0)
    export.run(ExportConfig(run, variant=variant, browser_to=tmp_path / "static"))
    assert sorted(path.name for path in (tmp_path / "static").iterdir()) == ["attention.json", "attention.onnx"]
    peers, own = (json.loads((folder / "attention.json").read_text()) for folder in (run, tmp_path / "static"))
    for same in ("threshold", "temperature", "crop_scale", "made_from", "split_sha256", "parameters", "outputs"):
        assert own[same] == peers[same], same
    fp32 = {"onnx_int8": "attentive_fp32.onnx", OTHER: "small.onnx"}[variant]
    assert 1.9 * own["size_bytes"] < (run / fp32).stat().st_size
    assert (own["precision"], own["parity"]["max_difference"] < export.MAX_DIFFERENCE_HALF) == ("fp32", True)
    assert own["name"].endswith("ONNX FP32, weights in half precision")
    assert own["sha256"] == sha256_of(tmp_path / "static/attention.onnx") != peers["sha256"]
    assert AttentionClassifier(tmp_path / "static/attention.onnx")
    capsys.readouterr()
    export.run(ExportConfig(run, variant=variant, browser_to=tmp_path / "static"))
    assert "done already" in capsys.readouterr().out


def test_browsers_and_peers_cannot_share_a_folder(run: Path) -> None:
    with pytest.raises(ConfigInvalid, match=r"expected --browser-to in another folder than the peers' attention.onnx"):
        export.run(ExportConfig(run, browser_to=run / "faces" / ".."))


def test_a_run_with_variants_of_an_older_version_is_exported_all_the_same(run: Path, tmp_path: Path) -> None:
    shutil.copy(run / "small.pth", run / "browser_pruned.pth")
    shutil.copy(run / "small.onnx", run / "browser_pruned_fp32.onnx")
    models = [
        listed("browser", "For browsers", "browser_pruned.pth", parameters=9),
        listed("browser_onnx_fp32", "For browsers, ONNX FP32", "browser_pruned_fp32.onnx", parameters=9),
    ]
    record(run, "prune", models, inputs=[run / "attentive_model.pth"])
    write_comparison(run, fp32=0.9, onnx_fp32=0.9)
    export.run(ExportConfig(run, browser_to=tmp_path / "static"))
    assert json.loads((tmp_path / "static/attention.json").read_text())["made_from"]["file"] == "attentive_model.pth"


def test_a_file_that_does_not_say_what_pytorch_says_is_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export.run(ExportConfig(run))
    before = sha256_of(run / "attention.onnx")
    capsys.readouterr()
    shutil.copy(run / "small.onnx", run / "attentive_fp32.onnx")
    models = [
        listed("onnx_fp32", "ONNX FP32", "attentive_fp32.onnx", parameters=PARAMETERS),
        listed("onnx_int8", "ONNX INT8", "attentive_int8.onnx", parameters=PARAMETERS),
    ]
    record(run, "quantize", models, inputs=[run / "attentive_model.pth"], temperature=TEMPERATURE)
    write_comparison(run, fp32=0.9, onnx_fp32=0.9)
    with pytest.raises(TrainingFailed, match=r"expected attentive_fp32.onnx to give probabilities within 0.001 of"):
        export.run(ExportConfig(run))
    assert "probabilities differ by" in capsys.readouterr().out
    assert sha256_of(run / "attention.onnx") == before
    assert AttentionClassifier(run / "attention.onnx")


def test_the_next_one_is_taken_where_the_cheapest_does_not_say_what_pytorch_says(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(export, "MIN_AGREEMENT", 1.01)
    write_comparison(run, fp32=0.9, onnx_fp32=0.9, onnx_int8=0.9)
    document = json.loads((run / "comparison.json").read_text())
    document["variants"][2]["ms_batch1"] = 1.0
    (run / "comparison.json").write_text(json.dumps(document))
    export.run(ExportConfig(run))
    said = capsys.readouterr().out
    assert "refused: expected attentive_int8.onnx to give 101% of the labels" in said
    assert "chosen: onnx_fp32, because it takes least CPU time" in said
    assert "and that say what PyTorch says" in said
    assert read_record(run, "export")["results"]["chosen"] == "onnx_fp32"


@pytest.mark.parametrize(
    ("name", "parity", "fine"),
    [
        ("onnx_fp32", Parity(9, 9e-4, 1e-4, 0.9), True),
        ("onnx_fp32", Parity(9, 2e-3, 1e-4, 1.0), False),
        ("onnx_fp32", Parity(9, float("nan"), float("nan"), 1.0), False),
        ("onnx_half", Parity(9, 9e-3, 1e-4, 0.9), True),
        ("onnx_half", Parity(9, 2e-2, 1e-4, 1.0), False),
        ("onnx_half", Parity(9, float("nan"), float("nan"), 1.0), False),
        ("onnx_int8", Parity(9, 0.4, 0.04, 0.96), True),
        ("onnx_int8", Parity(9, 0.4, 0.04, 0.94), False),
        ("onnx_int8", Parity(9, 0.4, 0.06, 1.0), False),
    ],
)
def test_int8_may_differ_a_little_and_fp32_not_at_all(name: str, parity: Parity, fine: bool) -> None:
    variant = Variant(name, "", "onnx", "file.onnx", 1, "", "quantize", "")
    if fine:
        check_parity(variant, parity)
    else:
        with pytest.raises(TrainingFailed, match=r"expected file.onnx to give .*run `quantize` again"):
            check_parity(variant, parity)


def test_a_comparison_of_other_files_is_refused(run: Path) -> None:
    document = json.loads((run / "comparison.json").read_text())
    document["variants"][1]["sha256"] = "1" * 64
    (run / "comparison.json").write_text(json.dumps(document))
    with pytest.raises(TrainingFailed, match=r"comparison.json to be about the models .*run `compare` again"):
        export.run(ExportConfig(run))
    (run / "comparison.json").write_text("[]")
    with pytest.raises(TrainingFailed, match="got something else: run `edgeattend train compare"):
        export.run(ExportConfig(run))
    (run / "comparison.json").unlink()
    with pytest.raises(TrainingFailed, match="expected the comparison of all models at"):
        export.run(ExportConfig(run))


def test_a_model_that_a_participant_refuses_never_takes_its_place(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> AttentionClassifier:
        raise ModelUnavailable(f"expected better than {path.name}")

    monkeypatch.setattr(export, "AttentionClassifier", refuse)
    with pytest.raises(ModelUnavailable):
        export.run(ExportConfig(run))
    assert not [path.name for path in run.iterdir() if "attention." in path.name or "export" in path.name]


def test_a_crash_between_the_two_files_leaves_a_pair_that_is_refused_and_mended(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export.run(ExportConfig(run))
    rename = Path.replace

    def crash(self: Path, target: Path) -> Path:
        if target == run / "attention.onnx":
            raise KeyboardInterrupt
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", crash)
        with pytest.raises(KeyboardInterrupt):
            export.run(ExportConfig(run, variant=OTHER))
    with pytest.raises(ModelUnavailable, match="card belongs to another model"):
        AttentionClassifier(run / "attention.onnx")
    assert not (run / "export.json").exists()
    export.run(ExportConfig(run, variant=OTHER))
    assert AttentionClassifier(run / "attention.onnx").card.sha256 == collect_variants(run)[OTHER].sha256


def test_a_folder_that_cannot_be_made_is_named(run: Path) -> None:
    with pytest.raises(TrainingFailed, match=r"expected to be allowed to write in .*export/there, got"):
        export.run(ExportConfig(run, to=run / "dataset_splits.json" / "export" / "there"))
