"""A run folder as `prepare` leaves it, and a small trained checkpoint: what the later stages start from.

The pictures are crops of the demo's clips (rendered people, with their truth), mirrored and tinted to make twelve
persons of four. Made once per session; `tiny_run` gives every test a copy of its own.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the training packages are not installed: . scripts/environment dev,train")

from filelock import FileLock  # noqa: E402

from peer.perception.crop import Box, Pixels, crop_face  # noqa: E402
from tests.peer import clips  # noqa: E402
from training.dataset import CropDataset, loader, plain_transform  # noqa: E402
from training.model import AttentiveMobileNetV2, save_checkpoint  # noqa: E402
from training.splits import CLASSES, Part, Sample, Splits, load_splits, save_splits  # noqa: E402

ROOT = Path(__file__).parents[2]
HEAD = Box(left=225, top=120, side=190)
"""Where the faces are when the clips begin, in their 640x480 frames."""

WHO = ("ana", "ben", "mei", "omar")
"""All but Zuri, who attends from beginning to end."""

EVERY = 10
"""Of the clips' 15 frames/s."""

FRAMES_PER_CLIP = 6
SIDES = (80,) * 6 + (160,) * 2
"""Pixels of the images in each epoch of `train_shortly`: the network takes any, and small ones cost a quarter."""


def tinted(crop: Pixels) -> Pixels:
    """Another skin and light."""
    return np.clip(crop * np.array([0.8, 0.95, 1.15]) + 8, 0, 255).astype(np.uint8)


def mirrored(crop: Pixels) -> Pixels:
    """Another face."""
    return np.clip(crop[:, ::-1] * np.array([1.1, 1.0, 0.85]), 0, 255).astype(np.uint8)


VARIANTS = {"a": lambda crop: crop, "b": tinted, "c": mirrored}
PART_OF: dict[str, Part] = {"ben-c": "val", "omar-c": "val", "mei-c": "test", "ana-c": "test"}


def clip_crops(name: str) -> Iterator[tuple[int, int, Pixels]]:
    """(frame, label, crop) of a demo clip."""
    truth = clips.truth(name).frames
    for number, bgr in clips.frames(name, EVERY):
        yield number, int(truth[number].attentive), crop_face(bgr, HEAD, 1.0)


def make_run(run: Path) -> Splits:
    """Crops and `dataset_splits.json` in `run`."""
    parts: dict[Part, list[Sample]] = {"train": [], "val": [], "test": []}
    for name in WHO:
        for number, label, crop in clip_crops(name):
            for variant, change in VARIANTS.items():
                person = f"{name}-{variant}"
                clip = f"{person}-{number // EVERY // FRAMES_PER_CLIP}"
                file = f"faces/{CLASSES[label]}/{clip}_{number:04d}.jpg"
                (run / file).parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(run / file), cv2.cvtColor(change(crop), cv2.COLOR_RGB2BGR))
                parts[PART_OF.get(person, "train")].append(Sample(file, person, clip, label))
    return save_splits(run, parts, {"split": "subject", "seed": 42, "per_class": 100, "crop_scale": 1.0})


def train_shortly(run: Path, splits: Splits) -> None:
    """`attentive_model.pth`: everything trained for a few epochs, so that logits spread and weights are not noise."""
    torch.manual_seed(0)
    torch.set_num_threads(1)  # two collapse where others compute, too
    model = AttentiveMobileNetV2().to(memory_format=torch.channels_last)
    for layer in model.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 0.4  # a few dozen steps must do for its statistics
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    dataset = CropDataset(run, splits["train"], plain_transform())
    for side in SIDES:
        model.train()
        for images, labels in loader(dataset, batch_size=16, sampler=torch.randperm(len(dataset)).tolist(), workers=0):
            images = torch.nn.functional.interpolate(images, size=side, mode="area")  # noqa: PLW2901
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(images.contiguous(memory_format=torch.channels_last)).squeeze(1)
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits.float(), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    meta = {"stage": "fit", "epochs": len(SIDES)}
    save_checkpoint(run / "attentive_model.pth", model, split_sha256=splits.sha256, meta=meta)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whichever test comes first waits for the training: half a minute, and some minutes on a busy machine."""
    for item in items:
        if "tiny_original" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(400))


@pytest.fixture(scope="session")
def tiny_original(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The run folder that `tiny_run` copies; tests do not change it. Processes that test side by side share it."""
    base = tmp_path_factory.getbasetemp()
    run = (base if worker_id == "master" else base.parent) / "tiny"
    with FileLock(f"{run}.lock"):
        if not run.exists():
            made = tmp_path_factory.mktemp("tiny") / "run"
            train_shortly(made, make_run(made))
            made.replace(run)
    return run


@pytest.fixture
def tiny_run(tiny_original: Path, tmp_path: Path) -> Path:
    """A run folder with crops, splits and a checkpoint: 12 persons, about 200 images."""
    return Path(shutil.copytree(tiny_original, tmp_path / "run"))


@pytest.fixture
def tiny_splits(tiny_run: Path) -> Splits:
    """The splits of `tiny_run`."""
    return load_splits(tiny_run)
