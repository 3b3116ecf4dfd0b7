"""The training of one network, epoch by epoch, that a killed process takes up again after the last epoch it finished.

`NAME.ckpt` has all that the next epoch needs; curves are drawn after each epoch.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Generic

import torch

from training.errors import TrainingFailed
from training.faces.curves import Row, write_curves
from training.faces.feed import Feed
from training.faces.learn import Learner, Network, answers, quality
from training.files import writing
from training.model import ARCHITECTURE, read_tensors

WATCHED = 384
"""Validation pictures that each epoch is measured on."""

STATES = ("model", "average", "optimizer", "translators")


class Course(Generic[Network]):
    """`folder`: for the curves; `file`: of the checkpoint; `identity`: what a checkpoint must have in common with this
    training; `make`: a learner for so many epochs; `say`: to the user."""

    def __init__(
        self,
        folder: Path,
        file: Path,
        feed: Feed,
        *,
        identity: dict[str, Any],
        make: Callable[[int], Learner[Network]],
        say: Callable[[str], None],
    ) -> None:
        self.file = file
        self.history: list[Row] = []
        self._folder, self._feed, self._identity = folder, feed, identity
        self._make: Callable[[int], Learner[Network]] = make
        self._say = say

    def run(self, plan_epochs: Callable[[], int], *, again: bool = False) -> Learner[Network]:
        """Begin, or go on unless `again`; the learner when it has learnt. Raises `TrainingFailed`."""
        left = None if again else self._left_behind()
        if left is None:
            learner = self._make(plan_epochs())
        else:
            learner = self._make(left["epochs"])
            learner.load({name: left[name] for name in STATES})
            self.history = [Row(**row) for row in left["history"]]
        for number in range(len(self.history), learner.plan.epochs):
            row = self._epoch(learner, number)
            self.history.append(row)
            write_curves(self._folder, self.history)
            self._save(learner)
            self._say(f"{self._what(number, learner)}: {row}")
        return learner

    def _what(self, number: int, learner: Learner[Network]) -> str:
        return f"{self.file.stem}, epoch {number + 1}/{learner.plan.epochs}"

    def _epoch(self, learner: Learner[Network], number: int) -> Row:
        started = time.perf_counter()
        side = learner.plan.side(number)
        loss, speed = learner.epoch(number, self._what(number, learner))
        model = learner.averaged()
        found = quality(model, answers(model, self._feed.plain("val", side, WATCHED), learner.device))
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

    def _left_behind(self) -> dict[str, Any] | None:
        """What a killed run of this same training left. Raises `TrainingFailed`."""
        if not self.file.is_file():
            return None
        advice = "delete it to start anew, or take another --out"
        left = read_tensors(self.file, what="a checkpoint of `fit`", advice=advice)
        wanted = {"architecture", "epochs", "history", *self._identity, *STATES}
        if missing := sorted(wanted - left.keys()):
            raise TrainingFailed(
                f"expected a checkpoint of `fit` on rendered people at {self.file}, got one without"
                f" {', '.join(missing)}: {advice}"
            )
        for what, own in self._identity.items():
            if left[what] != own:
                self._say(f"{self.file} is of other {what}: starting anew")
                return None
        self._say(f"going on after epoch {len(left['history'])} of {left['epochs']} (--force starts anew)")
        return left

    def _save(self, learner: Learner[Network]) -> None:
        document = {
            "architecture": ARCHITECTURE,
            **self._identity,
            **learner.state(),
            "epochs": learner.plan.epochs,
            "history": [asdict(row) for row in self.history],
        }
        with writing(self.file) as aside, aside.open("wb") as stream:  # given a path, it hides that the disk is full
            torch.save(document, stream)
