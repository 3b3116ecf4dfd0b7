"""The stage: which images calibrate, what it writes and says, and what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from training import onnx_model, quantize
from training.calibration import Calibration, save_calibration
from training.dataset import read_crops
from training.errors import TrainingFailed
from training.fidelity import HIGHEST_DB, compare_logits
from training.onnx_model import logits, open_session, probabilities
from training.quantize import QuantizeConfig, run
from training.splits import Splits

FILES = {
    "fx_int8_qnnpack": "attentive_model_quantized.pth",
    "fx_int8_x86": "attentive_model_quantized_x86.pth",
    "onnx_fp32": "attentive_fp32.onnx",
    "onnx_int8": "attentive_int8.onnx",
}


def test_the_stage_writes_every_file_and_judges_it(
    tiny_run: Path, tiny_splits: Splits, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(quantize, "CHECK_IMAGES", 12)
    monkeypatch.setattr(onnx_model, "METHODS", {"min-max": onnx_model.METHODS["min-max"]})
    save_calibration(tiny_run, Calibration(2.5, 0.5), split_sha256=tiny_splits.sha256, validation={})
    config = QuantizeConfig(tiny_run, calibration_images=4)
    run(config)
    said = capsys.readouterr()
    record = json.loads((tiny_run / "quantize.json").read_text())
    assert {entry["name"]: entry["file"] for entry in record["results"]["variants"]} == FILES
    assert {*FILES.values(), "quantize/fidelity.csv", "quantize/fidelity.png", "quantize/report.md"} == set(
        record["outputs"]
    )
    assert all(file in said.out for file in FILES.values())

    crops = read_crops(tiny_run, tiny_splits["val"][:3])
    inside = logits(tiny_run / "attentive_fp32.onnx", crops)
    with (tiny_run / "quantize/fidelity.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 12
    assert {row["label"] for row in rows} == {"0", "1"}
    whole = [(float(row["fp32"]), float(row["onnx_fp32"])) for row in rows]
    assert whole == [pytest.approx((fp32, fp32), abs=1e-3) for fp32, _ in whole]
    scores = probabilities(open_session(tiny_run / "attentive_fp32.onnx"), crops)
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-inside)), atol=1e-6)
    assert 2.5 in divisors(tiny_run / "attentive_fp32.onnx")
    assert record["results"]["temperature"] == 2.5

    fidelities = record["results"]["fidelity"]
    report = (tiny_run / "quantize/report.md").read_text()
    for name, file in FILES.items():
        sound = fidelities[name]["sqnr_db"] >= 10 and fidelities[name]["agreement"] >= 0.9
        assert (f"do not use `{file}`" in report) == (f"do not use {file}" in said.err) == (not sound)

    before = {name: (tiny_run / name).stat().st_mtime_ns for name in record["outputs"]}
    run(config)
    assert "done already" in capsys.readouterr().out
    assert before == {name: (tiny_run / name).stat().st_mtime_ns for name in record["outputs"]}


def divisors(path: Path) -> list[float]:
    """Single numbers that are constants of the graph."""
    values = [node.attribute[0].t for node in onnx.load(path).graph.node if node.op_type == "Constant"]
    return [float(onnx.numpy_helper.to_array(value)) for value in values if not value.dims]


def test_no_calibration_images_are_refused(tiny_run: Path) -> None:
    with pytest.raises(TrainingFailed, match=r"expected images to calibrate with, got none.*--calibration-images"):
        run(QuantizeConfig(tiny_run, calibration_images=0))
    assert not (tiny_run / "quantize.json").exists()
    assert not (tiny_run / "attentive_int8.onnx").exists()


def test_a_temperature_of_another_model_is_refused(tiny_run: Path, tiny_splits: Splits) -> None:
    path = save_calibration(tiny_run, Calibration(2.0, 0.5), split_sha256=tiny_splits.sha256, validation={})
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"model_sha256": "0" * 64}))
    with pytest.raises(TrainingFailed, match=r"the calibration of another model .*train evaluate"):
        run(QuantizeConfig(tiny_run))


def test_a_model_trained_on_other_splits_is_refused(tiny_run: Path) -> None:
    path = tiny_run / "dataset_splits.json"
    document = json.loads(path.read_text())
    name = document["train_files"][0]
    (tiny_run / name).write_bytes((tiny_run / document["train_files"][1]).read_bytes())
    with pytest.raises(TrainingFailed, match="expected the images"):
        run(QuantizeConfig(tiny_run))


def test_fidelity_of_noise_a_hundredth_as_strong_is_20_db() -> None:
    reference = np.array([3.0, -3.0, 3.0, -3.0])
    fidelity = compare_logits(reference, reference * 1.1)
    assert fidelity.sqnr_db == pytest.approx(20.0)
    assert (fidelity.agreement, fidelity.faults) == (1.0, [])


def test_fidelity_of_equal_logits_is_a_number() -> None:
    assert compare_logits([1.0, -1.0], [1.0, -1.0]).sqnr_db == HIGHEST_DB


@pytest.mark.parametrize("wrong", [[0.0, 0.0, 0.0], [-2.0, 2.0, -2.0], [float("nan")] * 3])
def test_a_broken_conversion_has_faults(wrong: list[float]) -> None:
    fidelity = compare_logits([2.0, -2.0, 2.0], wrong)
    assert any("dB" in fault for fault in fidelity.faults)


def test_logits_of_other_images_are_refused() -> None:
    with pytest.raises(TrainingFailed, match="expected as many logits"):
        compare_logits([1.0, 2.0], [1.0])
