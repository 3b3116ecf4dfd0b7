"""Learning from rendered pictures: an epoch, what it gave, and the decision that is fitted at the end.

One CPU thread is enough; float32 and channels_last are the fastest there (bfloat16 costs as much on a CPU with
instructions for it, since the depthwise convolutions' gradients have none). Measured in one thread, ms per picture
of a step at 96, 128 and 160 pixels: 6.5, 13.7 and 20.7 for the network, 0.9, 1.6 and 2.1 for the pictures.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from itertools import islice
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import AdamW
from tqdm import tqdm

from peer.perception.crop import CROP_SIDE
from training.decision import fit_decision
from training.errors import TrainingFailed
from training.faces.augment import Batch
from training.faces.average import Average
from training.faces.feed import Feed
from training.faces.guide import Guide
from training.faces.hints import WEIGHT as HINTS_WEIGHT
from training.faces.hints import Hints
from training.faces.loss import distillation, loss_of, mean_errors
from training.faces.plan import Plan
from training.faces.targets import Targets
from training.metrics import binary_metrics, sigmoid
from training.model import AttentiveMobileNetV2
from training.splits import Part
from training.trainer import make_scaler, mixed, seed_everything

WEIGHT_DECAY = 1e-2
LONGEST_STEP = 5.0
"""Norm of the gradient of a step: one strange batch must not undo a thousand good ones."""

DECISION_EPOCHS = 2
"""So many varied copies of the validation part are decided on, beside the plain one: rooms are darker than renders."""

TRIAL_STEPS = 4


@dataclass(frozen=True)
class Answers:
    """What a network says of N pictures: (N, 1) own logits, (N, 8) signals as it has them, and what is true."""

    own: Tensor
    raw: Tensor
    targets: Targets


Network = TypeVar("Network", AttentiveMobileNetV2, Guide)


class Learner(Generic[Network]):
    """A network while it learns. `teacher`: a larger one whose answers it follows; `hints`: of a guide, for a network
    that knows nothing yet; `after_step`: called then."""

    def __init__(
        self,
        model: Network,
        feed: Feed,
        plan: Plan,
        *,
        device: torch.device,
        precision: str = "fp32",
        seed: int = 0,
        teacher: AttentiveMobileNetV2 | None = None,
        hints: Hints | None = None,
        after_step: Callable[[], None] | None = None,
    ) -> None:
        self.model: Network = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.plan = plan
        self.device, self.precision = device, precision
        self._feed, self._seed = feed, seed
        self._teacher = teacher and teacher.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        self.hints = hints and hints.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._after_step = after_step
        self.model.requires_grad_(True)
        learning = [*self.model.parameters(), *(hints.parameters_to_learn() if hints else [])]
        self.optimizer = make_optimizer(learning, plan.peak)
        self.scaler = make_scaler(precision, device)
        self.average = Average(self.model, plan.epochs * plan.steps)

    def epoch(self, number: int, progress: str | None = None) -> tuple[float, float]:
        """One pass, from 0: its mean loss, and pictures a second. Raises `TrainingFailed` for a loss that is none."""
        seed_everything(hash((self._seed, number)))  # of dropout
        self.model.train()
        side, seen, total, started = self.plan.side(number), 0, 0.0, time.perf_counter()
        hidden = True if progress is None else None
        with tqdm(total=self.plan.steps, desc=progress, unit=" steps", leave=False, disable=hidden) as bar:
            for index, batch in enumerate(self._feed.varied(side, number)):
                loss = self.step(batch, number * self.plan.steps + index)
                seen, total = seen + len(batch.crops), total + loss * len(batch.crops)
                bar.update()
                bar.set_postfix(loss=f"{loss:.3f}", side=side, refresh=False)
        if not np.isfinite(total):
            raise TrainingFailed(f"expected a finite training loss, got {total}: try a lower --learning-rate")
        return total / seen, seen / (time.perf_counter() - started)

    def step(self, batch: Batch, number: int) -> float:
        """Learn from one batch; returns its loss. `number`: of the step, through all epochs."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.plan.rate(number)
        loss = self._loss(batch.crops.to(self.device), batch.targets.to(self.device), number)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.model.parameters(), LONGEST_STEP)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self._after_step is not None:
            self._after_step()
        self.average.update(number)
        return float(loss.detach())

    def _loss(self, crops: Tensor, targets: Targets, number: int) -> Tensor:
        """By the truth, and by those who know it already."""
        if self.hints is not None:
            assert isinstance(self.model, AttentiveMobileNetV2)
            with mixed(self.precision, self.device):
                seen, own, raw = self.hints.seen_by(self.model, crops)
                given, taught_own, taught_raw = self.hints.given(crops)
                hinted = HINTS_WEIGHT * self.hints.distance(seen, given)
            truth = loss_of(own.float(), raw.float(), targets, self.plan.gaze(number))
            taught = distillation(own.float(), raw.float(), taught_own.float(), taught_raw.float(), targets.weights)
            return truth + hinted + taught
        with mixed(self.precision, self.device):
            own, raw = self.model.outputs(crops)
        if self._teacher is None:
            return loss_of(own.float(), raw.float(), targets, self.plan.gaze(number))
        with torch.no_grad(), mixed(self.precision, self.device):
            taught_own, taught_raw = self._teacher.outputs(crops)
        truth = loss_of(own.float(), raw.float(), targets)
        return truth + distillation(own.float(), raw.float(), taught_own.float(), taught_raw.float())

    def state(self) -> dict[str, Any]:
        """All that the next epoch needs."""
        return {
            "model": self.model.state_dict(),
            "average": self.average.state(),
            "optimizer": self.optimizer.state_dict(),
            "translators": self.hints.translators.state_dict() if self.hints else {},
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.model.load_state_dict(state["model"])
        self.average.load(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.hints is not None:
            self.hints.translators.load_state_dict(state["translators"])

    def averaged(self) -> Network:
        """A copy with the mean weights, in eval mode: what is measured and kept."""
        found: Network = copy.deepcopy(self.model)
        found.load_state_dict(self.average.state())
        return found.eval()


def make_optimizer(parameters: Iterable[nn.Parameter], rate: float) -> AdamW:
    """Decay for the weights of convolutions and linear layers, none for BatchNorm and biases."""
    weights: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for parameter in parameters:
        (weights if parameter.dim() > 1 else others).append(parameter)
    return AdamW([{"params": weights, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}], lr=rate)


@torch.inference_mode()
def answers(model: Network, batches: Iterable[Batch], device: torch.device) -> Answers:
    """Of `model` in eval mode, in float32, on the CPU."""
    model.eval()
    own, raw, targets = [], [], []
    for batch in batches:
        found_own, found_raw = model.outputs(batch.crops.to(device))
        own.append(found_own.cpu())
        raw.append(found_raw.cpu())
        targets.append(batch.targets)
    return Answers(torch.cat(own), torch.cat(raw), joined(targets))


def joined(parts: list[Targets]) -> Targets:
    """One after the other."""
    return Targets(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(Targets)))


def quality(model: Network, found: Answers) -> dict[str, float]:
    """Loss, AUC and balanced accuracy of the decision and AUC of the own logit, mean errors of the signals."""
    assert model.decision is not None
    labels = found.targets.attentive.numpy().astype(np.int64)
    with torch.inference_mode():
        logits = model.decision.cpu()(found.own, found.raw).squeeze(1).double().numpy()
    decided = binary_metrics(labels, sigmoid(logits))
    return {
        "loss": float(loss_of(found.own, found.raw, found.targets)),
        "auc": decided["roc_auc"],
        "balanced_accuracy": decided["balanced_accuracy"],
        "own_auc": binary_metrics(labels, sigmoid(_flat(found.own)))["roc_auc"],
        **mean_errors(found.raw, found.targets),
    }


def decide(model: Network, feed: Feed, device: torch.device, part: Part = "val") -> float:
    """Fit the decision of `model` on a part, plain and varied; returns its cross-entropy. Raises `TrainingFailed`."""
    assert model.decision is not None
    batches = [answers(model, feed.plain(part, CROP_SIDE), device)]
    batches += [answers(model, feed.varied(CROP_SIDE, epoch, part), device) for epoch in range(DECISION_EPOCHS)]
    own, raw = (torch.cat([getattr(each, name) for each in batches]) for name in ("own", "raw"))
    targets = joined([each.targets for each in batches])
    return fit_decision(model.decision, own, raw, targets.attentive, targets.counts)


def seconds_per_epoch(learner: Learner[Network], feed: Feed) -> dict[int, float]:
    """By the crops' side, from a few steps of a copy each; the learner stays as it was."""
    found = {}
    for side, _ in learner.plan.shares:
        trial = Learner(
            copy.deepcopy(learner.model), feed, Plan(1, TRIAL_STEPS), device=learner.device,
            precision=learner.precision, hints=copy.deepcopy(learner.hints),
        )  # fmt: skip
        trial.model.train()
        marks = [time.perf_counter()]
        for index, batch in enumerate(islice(feed.varied(side, 0), TRIAL_STEPS)):
            trial.step(batch, index)
            marks.append(time.perf_counter())
        found[side] = float(np.median(np.diff(marks[1:] if len(marks) > 2 else marks))) * feed.steps()
    return found


def _flat(logits: Tensor) -> NDArray[np.float64]:
    return logits.squeeze(1).double().numpy()
