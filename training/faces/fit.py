"""`fit` on a run of rendered people: AttentiveMobileNetV2 with its signals, from the pictures to `attentive_model.pth`.

Dense truth teaches what labels alone do not: from scratch, on labels, nothing was learnt in half an hour. After every
epoch `fit/last.ckpt` holds all that the next one needs. The model that is kept is the running mean of the weights at
the end, with a decision fitted on the validation part.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from training.distributed import World
from training.errors import TrainingFailed
from training.faces.curves import Row, curve_files, write_curves
from training.faces.feed import Feed
from training.faces.learn import Learner, answers, decide, quality, seconds_per_epoch
from training.faces.pictures import BOXES_FILE, META_FILE
from training.faces.pictures import FOLDER as PICTURES
from training.faces.plan import PEAK_RATE, Plan, epochs_within
from training.faces.scratch import make_ready
from training.faces.truth import TRUTH_FILE
from training.files import writing
from training.model import ARCHITECTURE, MODEL_FILE, AttentiveMobileNetV2, count, read_tensors, save_checkpoint
from training.splits import Splits
from training.stage import Stage
from training.trainer import seed_everything
from training.weights import start_from

FOLDER = "fit"
EPOCHS = 45
"""About 75 minutes of one core for 7,500 pictures."""

WATCHED = 384
"""Validation pictures that each epoch is measured on."""


READ = tuple(f"{PICTURES}/{name}" for name in (BOXES_FILE, TRUTH_FILE, META_FILE))
"""What a stage's record names of the pictures; the images' content is in the splits' hash, as crops."""


@dataclass(frozen=True)
class FacesSettings:
    """`epochs`: None for those that fit into `minutes`, or `EPOCHS`. `weights`: as `start_from` takes them."""

    weights: str
    epochs: int | None
    minutes: float | None
    learning_rate: float | None
    batch_size: int
    precision: str
    seed: int


class FacesFit:
    """One training: the network, where it stands, and how it came there."""

    def __init__(
        self, run: Path, splits: Splits, world: World, stage: Stage, settings: FacesSettings, *, force: bool
    ) -> None:
        if world.size > 1:
            raise TrainingFailed(f"expected one process for rendered people, got {world.size}: run it without torchrun")
        if settings.batch_size % 2:
            raise TrainingFailed(f"expected an even --batch-size, for twins, got {settings.batch_size}")
        self._run, self._splits, self._world, self._stage, self._settings = run, splits, world, stage, settings
        self._force = force
        self._last = run / FOLDER / "last.ckpt"
        self._feed = Feed(run, splits, batch_size=settings.batch_size, seed=settings.seed)
        self._history: list[Row] = []
        for part in ("train", "val"):
            if self._feed.count(part) < 2:
                raise TrainingFailed(f"expected rendered pictures in the part {part!r}, got fewer than 2")
        seed_everything(settings.seed)
        self.model = AttentiveMobileNetV2(signals=True)

    def run(self) -> None:
        """Begin or go on, train, decide, write. Raises `TrainingFailed`."""
        left = self._left_behind()
        if left is None:
            make_ready(self.model)
            start_from(self.model, self._settings.weights)
            learner = self._learner(self._planned())
        else:
            learner = self._learner(left["epochs"])
            learner.model.load_state_dict(left["model"])
            learner.average.load(left["average"])
            learner.optimizer.load_state_dict(left["optimizer"])
            self._history = [Row(**row) for row in left["history"]]
        self._stage.forget()
        for number in range(len(self._history), learner.plan.epochs):
            row = self._epoch(learner, number)
            self._history.append(row)
            write_curves(self._run / FOLDER, self._history)
            self._save(learner)
            self._world.say(f"epoch {row.epoch}/{learner.plan.epochs}: {row}")
        self._finish(learner)

    def _planned(self) -> int:
        """How many epochs."""
        given = self._settings
        if given.epochs is not None:
            return given.epochs
        if given.minutes is None:
            return EPOCHS
        cost = seconds_per_epoch(self._learner(1), self._feed)
        epochs = epochs_within(60 * given.minutes, cost)
        spent = ", ".join(f"{seconds:.0f} s at {side} pixels" for side, seconds in cost.items())
        self._world.say(f"{epochs} epochs fit into {given.minutes:g} minutes: one takes {spent}")
        return epochs

    def _learner(self, epochs: int) -> Learner:
        given = self._settings
        plan = Plan(epochs, self._feed.steps(), given.learning_rate or PEAK_RATE)
        return Learner(
            self.model, self._feed, plan, device=self._world.device, precision=given.precision, seed=given.seed
        )

    def _epoch(self, learner: Learner, number: int) -> Row:
        started = time.perf_counter()
        side = learner.plan.side(number)
        loss, speed = learner.epoch(number, f"epoch {number + 1}/{learner.plan.epochs}")
        model = learner.averaged()
        found = quality(model, answers(model, self._feed.plain("val", side, WATCHED), self._world.device))
        return Row(
            epoch=number + 1,
            side=side,
            lr=learner.optimizer.param_groups[0]["lr"],
            train_loss=loss,
            val_loss=found["loss"],
            val_auc=found["auc"],
            **{name: found[name] for name in Row.errors()},
            seconds=round(time.perf_counter() - started, 3),
            images_per_s=round(speed, 2),
        )

    @property
    def _identity(self) -> dict[str, Any]:
        """What a checkpoint must have in common with this training."""
        return {"settings": self._stage.settings, "splits": self._splits.sha256}

    def _left_behind(self) -> dict[str, Any] | None:
        """What a killed run of this same training left. Raises `TrainingFailed`."""
        if self._force or not self._last.is_file():
            return None
        advice = "delete it to start anew, or take another --out"
        left = read_tensors(self._last, what="a checkpoint of `fit`", advice=advice)
        wanted = {"architecture", "settings", "splits", "epochs", "model", "average", "optimizer", "history"}
        if missing := sorted(wanted - left.keys()):
            raise TrainingFailed(
                f"expected a checkpoint of `fit` on rendered people at {self._last}, got one without"
                f" {', '.join(missing)}: {advice}"
            )
        for what, own in self._identity.items():
            if left[what] != own:
                self._world.say(f"{self._last} is of other {what}: starting anew")
                return None
        self._world.say(f"going on after epoch {len(left['history'])} of {left['epochs']} (--force starts anew)")
        return left

    def _save(self, learner: Learner) -> None:
        """`last.ckpt`: all that the next epoch needs."""
        document = {
            "architecture": ARCHITECTURE,
            **self._identity,
            "epochs": learner.plan.epochs,
            "model": learner.model.state_dict(),
            "average": learner.average.state(),
            "optimizer": learner.optimizer.state_dict(),
            "history": [asdict(row) for row in self._history],
        }
        with writing(self._last) as aside, aside.open("wb") as stream:  # given a path, it hides that the disk is full
            torch.save(document, stream)

    def _finish(self, learner: Learner) -> None:
        """Fit the decision, measure on all of validation, write the model and the record."""
        model, device = learner.averaged(), self._world.device
        assert model.decision is not None
        crossed = decide(model, self._feed, device)
        model.cpu()
        side = learner.plan.side(learner.plan.epochs - 1)
        found = quality(model, answers(model, self._feed.plain("val", side), torch.device("cpu")))
        meta = {"stage": "fit", "settings": self._stage.settings, "validation": found, "threshold": None}
        save_checkpoint(self._run / MODEL_FILE, model, split_sha256=self._splits.sha256, meta=meta)
        self._stage.complete(
            outputs=[self._run / MODEL_FILE, *curve_files(self._run / FOLDER)],
            results={
                "epochs": learner.plan.epochs,
                "validation": found,
                "decision": model.decision.as_dict(),
                "decision_cross_entropy": crossed,
                "parameters": count(model),
                "images": {part: self._feed.count(part) for part in ("train", "val")},
                "device": device.type,
                "precision": self._settings.precision,
                "variants": [
                    {
                        "name": "fp32", "title": "Torch FP32", "runtime": "torch", "file": MODEL_FILE,
                        "remark": "as trained on rendered people", "parameters": count(model),
                    }
                ],
            },
        )  # fmt: skip
        self._last.unlink(missing_ok=True)
        told = ", ".join(f"{name} {found[name]:.3g}" for name in Row.errors())
        self._world.say(
            f"{self._run / MODEL_FILE}: validation AUC {found['auc']:.4f}, balanced accuracy"
            f" {found['balanced_accuracy']:.4f}; mean errors: {told}"
        )
