"""`fit`: AttentiveMobileNetV2 trained as in the reference, chapter 5, from a split to `attentive_model.pth`.

A run of rendered people (`prepare --faces`) is trained by `training.faces.fit` instead.

After every epoch `fit/last.ckpt` holds all that the next one needs. What is drawn in an epoch (order, pictures,
dropout) depends on the seed and the epoch's number alone, so a run that was killed goes on as if it had not been.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import LRScheduler

from training.curves import curve_files, write_curves
from training.dataset import CropDataset, loader, plain_transform, train_transform
from training.distributed import World, joined
from training.errors import TrainingFailed
from training.faces.fit import READ, FacesFit, FacesSettings
from training.faces.pictures import has_pictures
from training.files import sha256_of, writing
from training.metrics import binary_metrics, sigmoid
from training.model import ARCHITECTURE, MODEL_FILE, AttentiveMobileNetV2, count, read_tensors, save_checkpoint
from training.schedule import Phase, Progress, Row, lower_rate
from training.splits import SPLITS_FILE, Splits, load_splits
from training.stage import Stage
from training.trainer import (
    Batches,
    Epoch,
    epoch_order,
    make_criterion,
    make_epoch,
    make_scaler,
    resolve_precision,
    seed_everything,
    train_epoch,
    validate,
)
from training.weights import available, start_from

FOLDER = "fit"
HEAD_RATE = SCRATCH_RATE = 1e-3
FINETUNE_RATE = 1e-5
VARIANT = {"name": "fp32", "title": "Torch FP32", "runtime": "torch", "file": MODEL_FILE, "remark": "as trained"}
"""How `compare` finds the model."""


@dataclass(frozen=True)
class FitConfig:
    """What the command `fit` is told; see its --help.

    `epochs`, `minutes` and `learning_rate` are for runs of rendered people (`training.faces.fit`), the three other
    numbers of epochs for all others. `init`: a checkpoint to go on from, in place of `weights`.
    """

    out: Path
    weights: str = "auto"
    init: Path | None = None
    epochs: int | None = None
    minutes: float | None = None
    learning_rate: float | None = None
    head_epochs: int = 10
    finetune_epochs: int = 10
    scratch_epochs: int = 40
    batch_size: int = 32
    device: str = "auto"
    precision: str = "auto"
    workers: int | None = None
    seed: int = 42
    force: bool = False

    @property
    def phases(self) -> list[Phase]:
        """The stages of training, in order."""
        phases = [
            Phase("head", self.head_epochs, HEAD_RATE),
            Phase("finetune", self.finetune_epochs, FINETUNE_RATE),
        ]
        if self.weights == "none":
            phases.insert(0, Phase("scratch", self.scratch_epochs, SCRATCH_RATE, scratch=True))
        return [phase for phase in phases if phase.epochs]

    def settings(self) -> dict[str, Any]:
        """What decides the result; device and number of processes do so only within noise. Raises `TrainingFailed`."""
        return {
            **self._start(),
            "epochs": {phase.name: phase.epochs for phase in self.phases},
            "batch_size": self.batch_size,
            "precision": self.precision,
            "seed": self.seed,
        }

    def rendered_settings(self) -> dict[str, Any]:
        """The same for a run of rendered people. Raises `TrainingFailed`."""
        own = {name: getattr(self, name) for name in ("epochs", "minutes", "learning_rate", "batch_size", "seed")}
        return {**self._start(), **own, "precision": self.precision}

    def faces_settings(self, precision: str) -> FacesSettings:
        """As `FacesFit` takes them."""
        return FacesSettings(
            self.weights, self.epochs, self.minutes, self.learning_rate, self.batch_size, precision, self.seed
        )

    def _start(self) -> dict[str, Any]:
        named = self.weights in {"imagenet", "none"}
        if not named and not Path(self.weights).is_file():
            raise TrainingFailed(f"expected --weights auto, imagenet, none or a file, got no such file: {self.weights}")
        return {
            "weights": self.weights if named else Path(self.weights).name,
            "weights_sha256": None if named else sha256_of(Path(self.weights)),
        }


def run(config: FitConfig) -> None:
    """Train, unless it is done already; under torchrun as one of several processes. Raises `TrainingFailed`."""
    rendered = has_pictures(config.out)
    check_options(config, rendered=rendered)
    with joined(config.device) as world:
        if config.init is not None:
            if not config.init.is_file():
                raise TrainingFailed(f"expected --init with a checkpoint of a run, got no such file: {config.init}")
            config = replace(config, weights=str(config.init))
        if config.weights == "auto":
            weights, warning = world.from_first(available)
            config = replace(config, weights=weights)
            if warning:
                world.say(warning)
        settings = config.rendered_settings() if rendered else config.settings()
        inputs = [config.out / name for name in (SPLITS_FILE, *(READ if rendered else ()))]
        stage = Stage(config.out, "fit", settings, inputs)
        if world.from_first(lambda: not config.force and stage.is_current()):
            world.say(f"`fit` is done already: {config.out / MODEL_FILE} (--force does it again)")
            return
        splits = load_splits(config.out)
        if rendered:
            given = config.faces_settings(resolve_precision(config.precision, world.device))
            FacesFit(config.out, splits, world, stage, given, force=config.force).run()
            return
        _check(config, splits, world)
        Fit(config, splits, world, stage).run()


def check_options(config: FitConfig, *, rendered: bool) -> None:
    """Raise `TrainingFailed` for options that the other kind of run has."""
    only = {"--epochs": config.epochs, "--minutes": config.minutes, "--learning-rate": config.learning_rate}
    if not rendered and (given := [name for name, value in only.items() if value is not None]):
        raise TrainingFailed(
            f"expected {', '.join(given)} for a run of rendered people only, got {config.out} without"
            " pictures: run `prepare --faces` first, or give --scratch-epochs, --head-epochs, --finetune-epochs"
        )
    stages = ("scratch_epochs", "head_epochs", "finetune_epochs")
    changed = [name for name in stages if getattr(config, name) != getattr(FitConfig, name)]
    if rendered and changed:
        raise TrainingFailed(
            f"expected {', '.join('--' + name.replace('_', '-') for name in changed)} for a run of videos only, got"
            f" {config.out} with pictures, which has one stage: give --epochs or --minutes"
        )
    if config.epochs is not None and config.minutes is not None:
        raise TrainingFailed("expected --epochs or --minutes, got both: take one")


def _check(config: FitConfig, splits: Splits, world: World) -> None:
    """Raise `TrainingFailed` where training could only fail later."""
    resolve_precision(config.precision, world.device)
    if not config.phases:
        raise TrainingFailed("expected at least one epoch in one stage, got none: raise --head-epochs")
    if world.from_first(lambda: splits.sha256) != splits.sha256:
        raise TrainingFailed(
            f"expected the same splits in every process, got others in process {world.rank}:"
            " copy the run folder to every machine"
        )
    if world.size > (fewest := min(len(splits["train"]), len(splits["val"]))):
        raise TrainingFailed(f"expected an image of each part per process, got {fewest} for {world.size} processes")


class Fit:
    """One training: the model, where it stands, and the best there was."""

    def __init__(self, config: FitConfig, splits: Splits, world: World, stage: Stage) -> None:
        self._config, self._splits, self._world, self._stage = config, splits, world, stage
        self._folder = config.out / FOLDER
        self._last = self._folder / "last.ckpt"
        self._batch = world.share_of_batch(config.batch_size)
        self._train_set = CropDataset(config.out, splits["train"], train_transform(), config.seed)
        self._val_set = CropDataset(config.out, splits["val"], plain_transform())
        self._criterion = make_criterion(splits.labels("train"), world.device)
        self._progress = Progress()
        self._best: dict[str, Tensor] = {}
        seed_everything(config.seed)
        self.model = AttentiveMobileNetV2()
        world.share_statistics(self.model)

    def run(self) -> None:
        """Begin or go on, train every phase, write what came of it. Raises `TrainingFailed`."""
        left = self._world.from_first(self._left_behind)
        if left is None:
            self.model.load_state_dict(self._world.from_first(self._started))
        else:
            self._progress, self._best = Progress.from_dict(left["progress"]), left["best"]
            self.model.load_state_dict(left["model"])
        self.model.to(self._world.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self._world.is_first:
            self._stage.forget()
        for phase in self._config.phases[self._progress.phase :]:
            self._train(phase, left)
            left = None
        if self._world.is_first:
            self._finish()

    def _started(self) -> dict[str, Tensor]:
        start_from(self.model, self._config.weights)
        return self.model.state_dict()

    def _left_behind(self) -> dict[str, Any] | None:
        """What a killed run of this same training left. Raises `TrainingFailed`."""
        if self._config.force or not self._last.is_file():
            return None
        left = read_last(self._last, self.model)
        for what, own in self._identity.items():
            if left[what] != own:
                self._world.say(f"{self._last} is of other {what}: starting anew")
                return None
        row = left["progress"]["history"][-1]
        self._world.say(f"going on after {row['stage']} epoch {row['epoch']} (--force starts anew)")
        return left

    @property
    def _identity(self) -> dict[str, Any]:
        """What a checkpoint must have in common with this training."""
        return {"settings": self._stage.settings, "splits": self._splits.sha256}

    def _train(self, phase: Phase, left: dict[str, Any] | None) -> None:
        """One phase, from its start or from where it was left; ends with the best weights so far in the model."""
        trainable = phase.freeze(self.model)
        learner = self._world.shared(self.model)
        optimizer = Adam(trainable, phase.learning_rate)
        scheduler = phase.make_scheduler(optimizer)
        scaler = make_scaler(self._config.precision, self._world.device)
        if left is not None:
            optimizer.load_state_dict(left["optimizer"])
            scheduler.load_state_dict(left["scheduler"])
            if scaler.is_enabled() and left["scaler"]:  # empty where it was left on a CPU
                scaler.load_state_dict(left["scaler"])
        while not self._progress.is_over(phase):
            row = self._epoch(phase, learner, optimizer, scaler)
            improved = self._progress.record(row, phase)
            if improved:
                self._best = {name: value.cpu().clone() for name, value in self.model.state_dict().items()}
            lower_rate(scheduler, row.val_loss)
            if self._world.is_first:
                write_curves(self._folder, self._progress.history)
                self._save(optimizer, scheduler, scaler)
            self._world.say(f"{phase.name} {row.epoch}/{phase.epochs}: {row}{', best so far' if improved else ''}")
        self.model.load_state_dict(self._best)
        self._progress.next_phase()

    def _epoch(self, phase: Phase, learner: nn.Module, optimizer: Optimizer, scaler: torch.amp.GradScaler) -> Row:
        """One pass over the training part and one over the validation part."""
        world, number = self._world, len(self._progress.history)
        title = f"{phase.name} {self._progress.epoch + 1}/{phase.epochs}"
        self._train_set.epoch = number
        order = world.share_of_training(epoch_order(len(self._train_set), self._config.seed, number))
        seed_everything(hash((self._config.seed, number, world.rank)))  # of dropout
        phase.set_modes(self.model)
        started = time.perf_counter()
        trained = train_epoch(
            learner, self._batches(self._train_set, order), optimizer, self._criterion, device=world.device,
            precision=self._config.precision, scaler=scaler, progress=title if world.is_first else None,
        )  # fmt: skip
        trained_s = time.perf_counter() - started
        share = world.share_of_validation(len(self._val_set))
        seen = validate(self.model, self._batches(self._val_set, share), self._criterion, device=world.device)
        train, val = self._measured(trained), self._measured(seen)
        if val["images"] != len(self._val_set):
            world.say(f"warning: expected {len(self._val_set)} validated images, got {val['images']:.0f}")
        return Row(
            stage=phase.name,
            epoch=self._progress.epoch + 1,
            lr=optimizer.param_groups[0]["lr"],
            train_loss=train["loss"],
            val_loss=val["loss"],
            train_accuracy=train["accuracy"],
            val_accuracy=val["accuracy"],
            train_auc=train["auc"],
            val_auc=val["auc"],
            seconds=round(time.perf_counter() - started, 3),
            images_per_s=round(train["images"] / trained_s, 2),
        )

    def _batches(self, dataset: CropDataset, share: list[int]) -> Batches:
        pin = self._world.device.type == "cuda"
        return loader(dataset, batch_size=self._batch, sampler=share, workers=self._config.workers, pin_memory=pin)

    def _measured(self, own: Epoch) -> dict[str, float]:
        """What the curves show of a pass, over all processes."""
        labels, logits = self._world.gathered(own.labels), self._world.gathered(own.logits)
        whole = make_epoch(
            torch.from_numpy(labels).to(self._world.device),
            torch.from_numpy(logits).to(self._world.device),
            self._criterion,
        )
        found = binary_metrics(labels, sigmoid(logits))
        return {"loss": whole.loss, "accuracy": found["accuracy"], "auc": found["roc_auc"], "images": len(labels)}

    def _save(self, optimizer: Optimizer, scheduler: LRScheduler, scaler: torch.amp.GradScaler) -> None:
        """`last.ckpt`: all that the next epoch needs."""
        document = {
            "architecture": ARCHITECTURE,
            **self._identity,
            "model": self.model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "scheduler": scheduler.state_dict(),
            "scaler": scaler.state_dict(),
            "progress": self._progress.as_dict(),
            "best": self._best,
        }
        with writing(self._last) as aside, aside.open("wb") as stream:  # given a path, it hides that the disk is full
            torch.save(document, stream)

    def _finish(self) -> None:
        """Write the best model and the record; what is finished needs no `last.ckpt`."""
        best = self._progress.best
        assert best is not None
        model_file = self._config.out / MODEL_FILE
        meta = {"stage": "fit", "settings": self._stage.settings, "best": asdict(best), "threshold": None}
        save_checkpoint(model_file, self.model, split_sha256=self._splits.sha256, meta=meta)
        self._stage.complete(
            outputs=[model_file, *curve_files(self._folder)],
            results={
                "best": asdict(best),
                "stages": [self._summary(phase) for phase in self._config.phases],
                "parameters": count(self.model),
                "images": {part: len(self._splits[part]) for part in ("train", "val")},
                "device": self._world.device.type,
                "precision": resolve_precision(self._config.precision, self._world.device),
                "processes": self._world.size,
                "variants": [VARIANT | {"parameters": count(self.model)}],
            },
        )
        self._last.unlink(missing_ok=True)
        self._world.say(
            f"{model_file}: validation accuracy {best.val_accuracy:.4f}, AUC {best.val_auc:.4f}"
            f" ({best.stage} epoch {best.epoch}); curves in {self._folder}"
        )

    def _summary(self, phase: Phase) -> dict[str, Any]:
        """What became of a phase: its own best epoch, whether or not the model is from there."""
        rows = [row for row in self._progress.history if row.stage == phase.name]
        best = rows[0]
        for row in rows[1:]:
            best = row if phase.is_better(row, best) else best
        return {
            "stage": phase.name,
            "epochs": len(rows),
            "trainable": sum(parameter.numel() for parameter in phase.freeze(self.model)),
            "seconds": round(sum(row.seconds for row in rows), 2),
            "best": asdict(best),
        }


def read_last(path: Path, model: nn.Module) -> dict[str, Any]:
    """The checkpoint of an unfinished training of a network like `model`. Raises `TrainingFailed`."""
    advice = "delete it to start anew, or take another --out"
    left = read_tensors(path, what="a checkpoint of `fit`", advice=advice)
    try:
        architecture, shapes = left["architecture"], {name: value.shape for name, value in left["model"].items()}
    except (KeyError, AttributeError) as error:
        raise TrainingFailed(f"expected a checkpoint of `fit` at {path}, got {error!r}: {advice}") from error
    if architecture != ARCHITECTURE or shapes != {name: value.shape for name, value in model.state_dict().items()}:
        raise TrainingFailed(
            f"expected a checkpoint of {ARCHITECTURE} at {path}, got another architecture ({architecture}): {advice}"
        )
    return left
