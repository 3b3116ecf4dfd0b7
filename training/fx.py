"""Static INT8 by PyTorch's FX graph mode, as in the reference document, chapter 6, for its engines qnnpack and x86.

The file holds the converted model's state dict. The graph that it belongs to is traced anew when it is loaded, so
that nothing but tensors and numbers is ever unpickled.

Of a model with signals the backbone alone is converted. What comes after it, a hundredth of the work, stays in
float: a soft minimum and angles do not bear 8 bits.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.ao.quantization import (
    MinMaxObserver,
    QConfig,
    QConfigMapping,
    default_weight_observer,
    get_default_qconfig_mapping,
)
from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

from peer.perception.crop import CROP_SIDE
from training.errors import TrainingFailed
from training.files import writing
from training.model import ARCHITECTURE, SIGNALS_KEY, AttentiveMobileNetV2, has_signals, read_tensors

QNNPACK, X86 = "qnnpack", "x86"
ENGINES = (QNNPACK, X86)
"""qnnpack is made for ARM and is the reference's; x86 is three to four times faster on a PC. x86's default settings
keep activations to 7 bits (reduce_range), without which its 16-bit sums overflow where the CPU has no VNNI."""

BATCH = 16
"""Images at a time while calibrating."""


class PlainReLU6(nn.Module):
    """ReLU6 on a tensor in NCHW order in memory.

    qnnpack's clamp takes a channels_last tensor, which is what its convolutions give, for one in NCHW: on x86 the
    values come back permuted, without an error. Found and measured with torch 2.13; a test watches it.
    """

    def forward(self, features: Tensor) -> Tensor:
        """`features`, within 0..6."""
        return nn.functional.hardtanh(features.contiguous(), 0.0, 6.0)


class QuantizedModel(nn.Module):
    """A converted model that runs in its own engine, whichever the process has set: both can live side by side."""

    def __init__(self, graph: nn.Module, engine: str) -> None:
        super().__init__()
        self.graph = graph
        self.engine = engine
        self.signals = getattr(graph, "signals", None)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, 160, 160) float32 normalised -> (N, 1) logits."""
        with engine_set(self.engine):
            return self.graph(images)  # type: ignore[no-any-return]

    def read(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 1) logits and (N, 8) signals in their units; only where there are signals."""
        with engine_set(self.engine):
            return self.graph.read(images)  # type: ignore[no-any-return, operator]


def usable_engines() -> list[str]:
    """Quantized engines that this build of PyTorch has; a Mac has no x86."""
    return list(torch.backends.quantized.supported_engines)


@contextmanager
def engine_set(engine: str) -> Iterator[None]:
    """PyTorch's quantized engine, for a while. Raises `TrainingFailed` where this build of PyTorch lacks it."""
    before = torch.backends.quantized.engine
    if engine not in usable_engines():
        raise TrainingFailed(
            f"expected a PyTorch with the quantized engine {engine!r:.50}, got one with {', '.join(usable_engines())}:"
            " run `quantize` again on this machine, which leaves out what cannot run here"
        )
    torch.backends.quantized.engine = engine
    try:
        yield
    finally:
        torch.backends.quantized.engine = before


def quantize_fx(model: nn.Module, images: Tensor, engine: str) -> QuantizedModel:
    """`model` in INT8. `images`: (N, 3, 160, 160) float32, normalised, for the activations' ranges; at least one.

    Raises `TrainingFailed`.
    """
    if len(images) == 0:
        raise TrainingFailed("expected images to calibrate with, got none")
    return _converted(model, images, engine)


def save_fx(path: Path, quantized: QuantizedModel, *, split_sha256: str, meta: dict[str, Any]) -> None:
    """Write the state dict in the reference's form, with what belongs to it. Raises `TrainingFailed`."""
    document = {
        "model_state_dict": quantized.graph.state_dict(),
        "architecture": ARCHITECTURE,
        "engine": quantized.engine,
        "split_sha256": split_sha256,
        "meta": meta,
    }
    with writing(path) as aside, warnings.catch_warnings():
        _silence()
        torch.save(document, aside)


def load_fx(path: Path) -> QuantizedModel:
    """A model that `save_fx` wrote. Raises `TrainingFailed`."""
    try:
        with warnings.catch_warnings():
            _silence()
            document = read_tensors(path, what=f"a quantized {ARCHITECTURE}", advice="run `edgeattend train quantize`")
        state, engine = document["model_state_dict"], document["engine"]
        signals = SIGNALS_KEY in state
    except (KeyError, TypeError) as error:
        raise TrainingFailed(
            f"expected a quantized {ARCHITECTURE} at {path}, got another file: run `edgeattend train quantize` again"
        ) from error
    if not isinstance(engine, str):
        raise TrainingFailed(
            f"expected a quantized {ARCHITECTURE} with its engine's name at {path}, got {type(engine).__name__}"
        )
    quantized = _converted(AttentiveMobileNetV2(signals=signals), None, engine)
    try:
        with engine_set(engine), warnings.catch_warnings():
            _silence()
            quantized.graph.load_state_dict(state)
    except (RuntimeError, KeyError, AttributeError, TypeError) as error:
        last = (str(error).splitlines() or [repr(error)])[-1].strip()[:200]
        raise TrainingFailed(
            f"expected a quantized {ARCHITECTURE} at {path}, got another architecture ({last}):"
            " run `edgeattend train quantize` again"
        ) from error
    return quantized


def _converted(model: nn.Module, images: Tensor | None, engine: str) -> QuantizedModel:
    """`model` traced and converted; without images its ranges are void, for a state dict to fill."""
    with engine_set(engine), torch.no_grad(), warnings.catch_warnings():
        _silence()
        mapping = get_default_qconfig_mapping(engine)
        if images is None:
            # The same graph from observers that cost nothing: the default ones search for the best range, 2 s in all.
            quick = MinMaxObserver.with_args(dtype=torch.quint8)
            void = QConfig(activation=quick, weight=default_weight_observer)  # type: ignore[no-untyped-call]
            mapping = QConfigMapping().set_global(void)
        example = torch.zeros(1, 3, CROP_SIDE, CROP_SIDE)
        whole = _copied_for(engine, model)
        part = has_signals(whole)
        prepared = prepare_fx(whole.get_submodule("backbone") if part else whole, mapping, (example,))
        if part:
            whole.set_submodule("backbone", prepared)
        observed = whole if part else prepared
        calibrating = example if images is None else images
        for start in range(0, len(calibrating), BATCH):
            observed(calibrating[start : start + BATCH])
        converted = convert_fx(prepared)
        if part:
            whole.set_submodule("backbone", converted)
        return QuantizedModel(whole if part else converted, engine).eval()


def _copied_for(engine: str, model: nn.Module) -> nn.Module:
    """A copy of `model` on the CPU, ready for `engine`."""

    copied = copy.deepcopy(model).cpu().eval()
    if engine == QNNPACK:
        for parent in list(copied.modules()):
            for name, child in parent.named_children():
                if isinstance(child, nn.ReLU6):
                    setattr(parent, name, PlainReLU6())
    return copied


def _silence() -> None:
    """Within `catch_warnings`: torch.ao goes in a later PyTorch (ours is pinned), and it calls its own old names."""
    warnings.simplefilter("ignore", DeprecationWarning)
    warnings.simplefilter("ignore", UserWarning)
