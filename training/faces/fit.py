"""`fit` on a run of rendered people: AttentiveMobileNetV2 with its signals, from the pictures to `attentive_model.pth`.

Dense truth teaches what labels alone do not: from scratch, on labels, nothing was learnt in half an hour. Even so
MobileNetV2 takes long to begin; so a small residual network learns first, and guides it (`training.faces.guide`). The
model that is kept is the running mean of the weights at the end, with a decision fitted on the validation part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from training.distributed import World
from training.errors import TrainingFailed
from training.faces.course import Course
from training.faces.curves import Row, curve_files
from training.faces.feed import Feed
from training.faces.guide import Guide
from training.faces.hints import Hints
from training.faces.learn import Learner, Network, answers, decide, quality, seconds_per_epoch
from training.faces.pictures import BOXES_FILE, META_FILE
from training.faces.pictures import FOLDER as PICTURES
from training.faces.plan import GUIDE_PEAK_RATE, GUIDE_SHARES, PEAK_RATE, Plan, epochs_within
from training.faces.scratch import make_ready
from training.faces.truth import TRUTH_FILE
from training.model import MODEL_FILE, AttentiveMobileNetV2, count, save_checkpoint
from training.splits import Splits
from training.stage import Stage
from training.trainer import seed_everything
from training.weights import start_from

FOLDER = "fit"
EPOCHS = 40
"""About 80 minutes of one core for 7,500 pictures."""

GUIDE_EPOCHS = 36
"""About 30 minutes more."""

GUIDE_PART = 0.2
"""Of the `minutes`."""

READ = tuple(f"{PICTURES}/{name}" for name in (BOXES_FILE, TRUTH_FILE, META_FILE))
"""What a stage's record names of the pictures; the images' content is in the splits' hash, as crops."""


@dataclass(frozen=True)
class FacesSettings:
    """`epochs`: None for those that fit into `minutes`, or `EPOCHS`. `weights`: as `start_from` takes them; a network
    that starts from some needs no guide."""

    weights: str
    epochs: int | None
    minutes: float | None
    learning_rate: float | None
    batch_size: int
    precision: str
    seed: int


class FacesFit:
    """One training: the guide, the network, and what they leave."""

    def __init__(
        self, run: Path, splits: Splits, world: World, stage: Stage, settings: FacesSettings, *, force: bool
    ) -> None:
        if world.size > 1:
            raise TrainingFailed(f"expected one process for rendered people, got {world.size}: run it without torchrun")
        if settings.batch_size % 2:
            raise TrainingFailed(f"expected an even --batch-size, for twins, got {settings.batch_size}")
        self._run, self._splits, self._world, self._stage, self._settings = run, splits, world, stage, settings
        self._force = force
        self._feed = Feed(run, splits, batch_size=settings.batch_size, seed=settings.seed)
        for part in ("train", "val"):
            if self._feed.count(part) < 2:
                raise TrainingFailed(f"expected rendered pictures in the part {part!r}, got fewer than 2")

    def run(self) -> None:
        """Begin or go on, train, decide, write. Raises `TrainingFailed`."""
        self._stage.forget()
        guide = self._guided() if self._settings.weights == "none" else None
        seed_everything(self._settings.seed)
        model = AttentiveMobileNetV2(signals=True)
        make_ready(model)
        start_from(model, self._settings.weights)
        hints = None if guide is None else Hints(guide)

        def make(epochs: int) -> Learner[AttentiveMobileNetV2]:
            plan = Plan(epochs, self._feed.steps(), self._settings.learning_rate or PEAK_RATE)
            return self._learner(model, plan, hints)

        course = self._course("model", make)
        part = 1.0 if guide is None else 1 - GUIDE_PART
        learner = course.run(lambda: self._epochs(make(1), EPOCHS, part), again=self._force)
        self._finish(learner)
        for file in (self._file("guide"), course.file):
            file.unlink(missing_ok=True)

    def _guided(self) -> Guide:
        """A guide that has learnt."""
        seed_everything(self._settings.seed)
        guide = Guide()

        def make(epochs: int) -> Learner[Guide]:
            return self._learner(guide, Plan(epochs, self._feed.steps(), GUIDE_PEAK_RATE, GUIDE_SHARES))

        course = self._course("guide", make)
        return course.run(lambda: self._epochs(make(1), GUIDE_EPOCHS, GUIDE_PART), again=self._force).averaged()

    def _file(self, name: str) -> Path:
        """The checkpoint of one of the two."""
        return self._run / FOLDER / f"{name}.ckpt"

    def _epochs(self, learner: Learner[Network], usual: int, part: float) -> int:
        """How many epochs, `usual` if nobody says; `part`: of the minutes."""
        given = self._settings
        if given.epochs is not None:
            return given.epochs
        if given.minutes is None:
            return usual
        cost = seconds_per_epoch(learner, self._feed)
        epochs = epochs_within(60 * given.minutes * part, cost, learner.plan.shares)
        spent = ", ".join(f"{seconds:.0f} s at {side} pixels" for side, seconds in cost.items())
        self._world.say(f"{epochs} epochs fit into {given.minutes * part:.3g} minutes: one takes {spent}")
        return epochs

    def _learner(self, model: Network, plan: Plan, hints: Hints | None = None) -> Learner[Network]:
        given = self._settings
        return Learner(
            model, self._feed, plan, device=self._world.device, precision=given.precision, seed=given.seed, hints=hints
        )

    def _course(self, name: str, make: Callable[[int], Learner[Network]]) -> Course[Network]:
        """The guide's curves lie in a folder of their own."""
        file = self._file(name)
        folder = file.parent / name if name == "guide" else file.parent
        identity = {"settings": self._stage.settings, "splits": self._splits.sha256}
        return Course(folder, file, self._feed, identity=identity, make=make, say=self._world.say)

    def _finish(self, learner: Learner[AttentiveMobileNetV2]) -> None:
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
                "guided": learner.hints is not None,
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
        told = ", ".join(f"{name} {found[name]:.3g}" for name in Row.errors())
        self._world.say(
            f"{self._run / MODEL_FILE}: validation AUC {found['auc']:.4f}, balanced accuracy"
            f" {found['balanced_accuracy']:.4f}; mean errors: {told}"
        )
