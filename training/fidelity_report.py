"""What `quantize` shows of its files: how each one's logits follow FP32, as a table, a picture and a page to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.fidelity import MIN_AGREEMENT, MIN_SQNR_DB, Fidelity, SignalFidelity
from training.files import write_text
from training.onnx_model import Calibrated
from training.plots import COLOURS, GREY, new_figure, save_figure
from training.splits import CLASSES, Sample
from training.tabular import as_csv, markdown_table

Logits = NDArray[np.float64]


@dataclass(frozen=True)
class Made:
    """One file. `name`, `title`, `runtime`: as `training.variants` lists it; `logits`: (N,) on the check images;
    `signals`: how each follows the reference's, nothing for a model without."""

    name: str
    title: str
    runtime: str
    path: Path
    logits: Logits
    fidelity: Fidelity
    signals: Mapping[str, SignalFidelity] = field(default_factory=dict)

    @property
    def megabytes(self) -> float:
        """Its size, in 10^6 bytes."""
        return self.path.stat().st_size / 1e6


@dataclass(frozen=True)
class Quantized:
    """All files, and what they were made and checked with.

    `calibration`: images for the activations' ranges; `checked`: those on which the files are held against
    `reference`, FP32's (N,) logits; `parity`: largest difference of an FP32 ONNX probability to torch's;
    `ranges`: how the INT8 ONNX file was calibrated.
    """

    made: tuple[Made, ...]
    calibration: Sequence[Sample]
    checked: Sequence[Sample]
    reference: Logits
    temperature: float
    parity: float
    ranges: Calibrated


def write_report(folder: Path, quantized: Quantized) -> list[Path]:
    """Write fidelity.csv, fidelity.png and report.md; returns their paths. Raises `TrainingFailed`."""
    table, picture, page = (folder / name for name in ("fidelity.csv", "fidelity.png", "report.md"))
    write_text(table, csv_text(quantized))
    draw(picture, quantized)
    write_text(page, markdown(quantized))
    return [table, picture, page]


def csv_text(quantized: Quantized) -> str:
    """An image per line with its logit from FP32 and from each file."""
    columns = (quantized.reference, *(one.logits for one in quantized.made))
    return as_csv(
        ["file", "person", "label", "fp32", *(one.name for one in quantized.made)],
        (
            (sample.file, sample.person, sample.label, *(f"{value:.6f}" for value in values))
            for sample, *values in zip(quantized.checked, *columns, strict=True)
        ),
    )


def draw(path: Path, quantized: Quantized) -> None:
    """A panel per INT8 file: its logit against FP32's, a mark per image; on the line both are equal."""
    drawn = [one for one in quantized.made if "int8" in one.name]
    reference = quantized.reference
    labels = np.array([sample.label for sample in quantized.checked])
    figure, axes = new_figure(3.6 * len(drawn), 4.1, 1, len(drawn))
    every = np.concatenate([reference, *(one.logits for one in drawn)])
    margin = 0.05 * max(float(np.ptp(every)), 1e-3)
    limits = (float(every.min()) - margin, float(every.max()) + margin)
    panels = np.atleast_1d(axes)
    for panel, one in zip(panels, drawn, strict=True):
        panel.plot(limits, limits, color=GREY, linewidth=1, zorder=1)
        panel.axhline(0, color=GREY, linewidth=0.8, linestyle=":", zorder=1)
        panel.axvline(0, color=GREY, linewidth=0.8, linestyle=":", zorder=1)
        for label, marker in enumerate("ox"):
            of = labels == label
            panel.scatter(
                reference[of], one.logits[of], s=16, marker=marker, color=COLOURS[label], alpha=0.7, linewidths=1,
                label=CLASSES[label].replace("_", " "), zorder=2,
            )  # fmt: skip
        panel.set(xlim=limits, ylim=limits, aspect="equal", xlabel="logit of FP32")
        panel.set_title(
            f"{one.title}\nSQNR {one.fidelity.sqnr_db:.1f} dB, {one.fidelity.agreement:.1%} same label", fontsize=10
        )
    panels[0].set_ylabel("logit of the file")
    panels[0].legend(loc="upper left")
    save_figure(figure, path)


def markdown(quantized: Quantized) -> str:
    """The page."""
    persons = len({sample.person for sample in quantized.calibration})
    table = markdown_table(
        ["Model", "File", "MB", "Logits to FP32's (SQNR)", "Correlation", "Same label", "Largest difference"],
        [
            [
                one.title, f"`{one.path.name}`", f"{one.megabytes:.2f}", f"{one.fidelity.sqnr_db:.1f} dB",
                f"{one.fidelity.correlation:.4f}", f"{one.fidelity.agreement:.1%}",
                f"{one.fidelity.max_difference:.3f}",
            ]
            for one in quantized.made
        ],
        words=(0, 1),
    )  # fmt: skip
    warnings = "\n".join(
        f"- **WARNING: do not use `{one.path.name}` unseen: {fault}.**"
        for one in quantized.made
        for fault in one.fidelity.faults
    )
    tried = ", ".join(f"{name} {value:.1f} dB" for name, value in quantized.ranges.sqnr_db.items())
    sections = (
        "# Quantization",
        f"Calibrated on {len(quantized.calibration)} images of {persons} people of the training part, without"
        f" augmented copies; checked on {len(quantized.checked)} images of the validation part.",
        table,
        "SQNR, signal to quantization noise: the power of FP32's logits over that of the differences. At 10 dB the"
        " differences are a third as large as the logits, at 20 dB a tenth, at 30 dB a thirtieth. Same label: at"
        f" probability 0.5. A file is sound with at least {MIN_SQNR_DB:.0f} dB and {MIN_AGREEMENT:.0%} of the labels."
        + ("" if warnings else " All of them are."),
        *([warnings] if warnings else []),
        *signals_text(quantized),
        "![Logits of each file against FP32](fidelity.png)",
        f"The ONNX files divide the logit by the temperature {quantized.temperature:.3f} before the sigmoid. The"
        f" FP32 one gives PyTorch's probabilities within {quantized.parity:.1g}. Ranges of the INT8 one's"
        f" activations: {quantized.ranges.method}, the best on calibration images that were held out ({tried}).",
        "Activations are uint8, weights int8 with a scale per channel. On x86 without VNNI, ONNX Runtime needs the"
        " session option `session.x64quantprecision=1` to compute the same; a participant sets it there, and only"
        " there, since with VNNI it doubles the time.",
    )
    return "\n\n".join(sections) + "\n"


def signals_text(quantized: Quantized) -> list[str]:
    """How each signal follows FP32's, a table, where the model has any."""
    told = [one for one in quantized.made if one.signals]
    if not told:
        return []
    rows = [
        [one.title, *(f"{each.mean_difference:.3f} ({each.correlation:.4f})" for each in one.signals.values())]
        for one in told
    ]
    return [
        "The signals beside FP32's: mean difference in each one's unit (degrees, openness 0 to 1, probability), and"
        " correlation.",
        markdown_table(["Model", *(name.replace("_", " ") for name in told[0].signals)], rows),
    ]
