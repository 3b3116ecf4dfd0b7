"""What `quantize` shows of its files' fidelity: a table, a picture and a page to read."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.fidelity import MIN_AGREEMENT, MIN_SQNR_DB, Fidelity
from training.onnx_model import Calibrated
from training.plots import COLOURS, GREY, new_figure, save_figure
from training.splits import CLASSES, Sample

Logits = NDArray[np.float64]


def table(samples: Sequence[Sample], reference: Logits, logits: Mapping[str, Logits]) -> str:
    """CSV: an image per line with its logit from FP32 and from each file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "person", "label", "fp32", *logits])
    for index, sample in enumerate(samples):
        values = (f"{column[index]:.6f}" for column in (reference, *logits.values()))
        writer.writerow([sample.file, sample.person, sample.label, *values])
    return text.getvalue()


def draw(
    path: Path, labels: NDArray[np.int64], reference: Logits, series: Mapping[str, tuple[Logits, Fidelity]]
) -> None:
    """One panel per file: its logit against FP32's, a dot per image; on the line both are equal."""
    figure, axes = new_figure(3.6 * len(series), 4.1, 1, len(series))
    every = np.concatenate([reference, *(logits for logits, _ in series.values())])
    margin = 0.05 * max(float(np.ptp(every)), 1e-3)
    limits = (float(every.min()) - margin, float(every.max()) + margin)
    for panel, (title, (logits, fidelity)) in zip(axes, series.items(), strict=True):
        panel.plot(limits, limits, color=GREY, linewidth=1, zorder=1)
        panel.axhline(0, color=GREY, linewidth=0.8, linestyle=":", zorder=1)
        panel.axvline(0, color=GREY, linewidth=0.8, linestyle=":", zorder=1)
        for label, marker in enumerate("ox"):
            of = labels == label
            panel.scatter(
                reference[of], logits[of], s=16, marker=marker, color=COLOURS[label], alpha=0.7, linewidths=1,
                label=CLASSES[label].replace("_", " "), zorder=2,
            )  # fmt: skip
        panel.set(xlim=limits, ylim=limits, aspect="equal", xlabel="logit of FP32")
        panel.set_title(f"{title}\nSQNR {fidelity.sqnr_db:.1f} dB, {fidelity.agreement:.1%} same label", fontsize=10)
    axes[0].set_ylabel("logit of the file")
    axes[0].legend(loc="upper left")
    save_figure(figure, path)


def report(
    fidelities: Mapping[str, Fidelity],
    files: Mapping[str, tuple[str, int]],
    *,
    images: int,
    persons: int,
    temperature: float,
    parity: float,
    method: Calibrated,
) -> str:
    """Markdown. `files`: name and bytes of each file, under the same titles as `fidelities`."""
    checked = next(iter(fidelities.values())).images
    lines = [
        "# Quantization",
        "",
        f"Calibrated on {images} images of {persons} people of the training part, without augmented copies; checked on"
        f" {checked} images of the validation part, whose people are others in a split by subject.",
        "",
        "| File | | MB | SQNR of logits to FP32 | same label | largest difference of a logit |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for title, fidelity in fidelities.items():
        name, size = files[title]
        lines.append(
            f"| {title} | `{name}` | {size / 1e6:.2f} | {fidelity.sqnr_db:.1f} dB | {fidelity.agreement:.1%}"
            f" | {fidelity.max_difference:.3f} |"
        )
    lines += ["", f"Sound is a file with at least {MIN_SQNR_DB:.0f} dB and {MIN_AGREEMENT:.0%} of the labels.", ""]
    faults = [(files[title][0], fault) for title, fidelity in fidelities.items() for fault in fidelity.faults]
    lines += [f"**WARNING: do not use `{name}` unseen: {fault}.**" for name, fault in faults] or ["All files are."]
    tried = ", ".join(f"{name} {value:.1f} dB" for name, value in method.sqnr_db.items())
    lines += [
        "",
        "![Logits of each file against FP32](fidelity.png)",
        "",
        f"The ONNX files divide the logit by the temperature {temperature:.3f} before the sigmoid. The FP32 one gives"
        f" PyTorch's probabilities within {parity:.1g}. Ranges of the INT8 one's activations: {method.method}, the"
        f" best on calibration images that were held out ({tried}).",
        "",
        "Activations are uint8, weights int8 with a scale per channel. On x86 without VNNI, ONNX Runtime needs the"
        " session option `session.x64quantprecision=1` to compute the same.",
        "",
    ]
    return "\n".join(lines)
