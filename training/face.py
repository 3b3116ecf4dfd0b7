"""The stage `face`: the detector that peers and browsers find faces with, from a run's rendered pictures.

In: `pictures/` of a run that `prepare --faces` made. Out: `face/` with the cut-outs, the network, its losses, and
`face.onnx` with its card, there and wherever else it is wanted. About half an hour of one core.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import typer

from peer.perception.detector import FaceDetector
from peer.perception.face_model import FaceModel
from training.errors import TrainingFailed
from training.face_check import (
    EMPTY_FRAMES,
    SCENES,
    VIEW_SIDES,
    answers,
    best_threshold,
    empty_views,
    false_share,
    look_at,
    summary,
)
from training.face_export import CARD_NAME, MODEL_NAME, card_of, export, place
from training.face_feed import SceneDataset, batches, box_map, clean_boxes, places_of, with_hard_ones
from training.face_fit import REPORT_STEPS, fit
from training.face_mattes import cut_mattes
from training.face_network import FaceNetwork
from training.face_scenes import Scene, SceneMaker
from training.faces.crops import BoxMap
from training.faces.pictures import BOXES_FILE, FOLDER, IMAGES_FILE, META_FILE, Pictures, load_pictures
from training.faces.truth import TRUTH_FILE
from training.files import write_text, writing
from training.model import read_tensors
from training.splits import SPLITS_FILE, Part, load_splits
from training.stage import Stage, name_in, versions
from training.timing import one_thread

NAME = "face"
FACE_FOLDER = "face"
MATTES_FILE, NETWORK_FILE, LOSSES_FILE = "mattes.npy", "network.pth", "losses.csv"

STEPS = 20_000
BATCH = 32
CHECK_SEED = 1
"""Of the scenes and of the empty frames that the network is judged by."""


@dataclass(frozen=True)
class FaceConfig:
    """The command's options. `to`: folders for the file besides `face/` of the run folder; `init`: a network to start
    from, as an earlier run left it."""

    out: Path
    to: Sequence[Path]
    steps: int
    init: Path | None
    jobs: int | None
    seed: int
    force: bool

    @property
    def folder(self) -> Path:
        """Where everything of this stage lies."""
        return self.out / FACE_FOLDER


def run(config: FaceConfig) -> None:
    """Do the stage, unless it is done. Raises `TrainingFailed`."""
    out = config.out
    splits = load_splits(out)
    pictures = load_pictures(out, splits.sha256)
    settings: dict[str, Any] = {
        "steps": config.steps,
        "batch": BATCH,
        "seed": config.seed,
        "init": None if config.init is None else name_in(out, config.init),
        "to": [name_in(out, folder) for folder in config.to],
    }
    inputs = [out / SPLITS_FILE, *(out / FOLDER / name for name in (BOXES_FILE, TRUTH_FILE, META_FILE))]
    inputs += [config.init] if config.init is not None else []
    stage = Stage(out, NAME, settings, inputs)
    if not config.force and stage.is_current():
        typer.echo(f"`{NAME}` is done already: {config.folder / MODEL_NAME} (--force does it again)")
        return
    stage.forget()
    boxes = box_map(pictures)
    with one_thread():
        network = learn(config, pictures, boxes)
        difference = export(network, config.folder / MODEL_NAME)
        card = judge(config, pictures, boxes, len(splits["train"]))
    folders = [config.folder, *config.to]
    place((config.folder / MODEL_NAME).read_bytes(), card, folders)
    placed = [folder / name for folder in folders for name in (MODEL_NAME, CARD_NAME)]
    kept = [config.folder / name for name in (NETWORK_FILE, LOSSES_FILE)]
    stage.complete(outputs=[*placed, *kept], results={"card": card, "score_difference": difference})
    metrics = card["metrics"]
    typer.echo(
        f"{NAME}: finds {metrics['found']:.1%} of the test part's faces, something else in {metrics['wrong']:.1%};"
        f" a face in {metrics['false_share']:.2%} of empty frames; threshold {card['threshold']:g}"
    )
    for folder in folders:
        typer.echo(f"written: {folder / MODEL_NAME} and its card")


def learn(config: FaceConfig, pictures: Pictures, boxes: BoxMap) -> FaceNetwork:
    """Cut out the people, train, and keep the network with its losses. Raises `TrainingFailed`."""
    folder, places = config.folder, places_of(pictures, "train")
    wanted = clean_boxes(pictures, boxes)
    if not len(places):
        raise TrainingFailed("expected rendered pictures in the part 'train', got none")
    mattes = folder / MATTES_FILE
    if config.force or not mattes.is_file():
        cut = [*places.tolist(), *places_of(pictures, "val").tolist()]
        cut_mattes(config.out / FOLDER / IMAGES_FILE, wanted, cut, mattes, jobs=config.jobs)
    often = with_hard_ones(pictures, places.tolist())
    scenes = SceneDataset(config.out, mattes, wanted, often, count=config.steps * BATCH, seed=config.seed)
    losses: list[float] = []
    network = fit(
        batches(scenes, BATCH, workers=1),
        config.steps,
        seed=config.seed,
        start=start_of(config.init),
        on_report=lambda _, loss: losses.append(loss),
    )
    lines = (f"{REPORT_STEPS * (number + 1)},{loss:.4f}\n" for number, loss in enumerate(losses))
    write_text(folder / LOSSES_FILE, "step,loss\n" + "".join(lines))
    with writing(folder / NETWORK_FILE) as aside:
        torch.save(network.state_dict(), aside)
    return network


def start_of(path: Path | None) -> FaceNetwork | None:
    """The network in a file of an earlier run. Raises `TrainingFailed` where there is none."""
    if path is None:
        return None
    network, what = FaceNetwork(), f"a face detector's {NETWORK_FILE}"
    try:
        network.load_state_dict(read_tensors(path, what=what, advice="give --init the file of an earlier run"))
    except (RuntimeError, TypeError, AttributeError) as error:
        raise TrainingFailed(f"expected {what} at {path}, got: {str(error).splitlines()[0]:.200}") from error
    return network


def judge(config: FaceConfig, pictures: Pictures, boxes: BoxMap, train_images: int) -> dict[str, Any]:
    """The card of the file: its threshold, and how it does on people whom it has not seen."""
    path = config.folder / MODEL_NAME
    data = path.read_bytes()
    place(data, card_of(data, 1.0, {}), [config.folder])  # a peer's own code needs a card to run it
    model = FaceModel(path)
    threshold = best_threshold(answers(model, scenes_of(config, pictures, boxes, "val")))
    place(data, card_of(data, threshold, {}), [config.folder])
    detector = FaceDetector(FaceModel(path))
    metrics = summary(look_at(detector, of_part(pictures, "test"), boxes, VIEW_SIDES))
    metrics["false_share"] = false_share(detector, empty_views(EMPTY_FRAMES, CHECK_SEED))
    network = FaceNetwork()
    return card_of(
        data,
        threshold,
        {
            "trained_on": "rendered people, nobody real; scenes made of their pictures",
            "train_images": train_images,
            "init": None if config.init is None else config.init.name,
            "scenes": config.steps * BATCH,
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
            "size_bytes": len(data),
            "box": "square in the convention of OpenCV's frontal Haar cascade",
            "metrics": metrics,
            "versions": versions(),
        },
    )


def scenes_of(config: FaceConfig, pictures: Pictures, boxes: BoxMap, part: Part) -> Iterator[Scene]:
    """Scenes as in training, of people of another part."""
    places = places_of(pictures, part)
    if not len(places):
        raise TrainingFailed(f"expected rendered pictures in the part {part!r}, got none")
    mattes = np.load(config.folder / MATTES_FILE, mmap_mode="r")
    maker = SceneMaker(pictures.images, mattes, clean_boxes(pictures, boxes), places.tolist())
    random = np.random.default_rng(CHECK_SEED)
    for _ in range(SCENES):
        yield maker.make(int(random.choice(places)), random)


def of_part(pictures: Pictures, part: Part) -> list[tuple[Any, np.ndarray[Any, np.dtype[np.uint8]]]]:
    """Truth and picture, (S, S, 3) uint8 RGB, of each of a part."""
    return [(pictures.truths[place], pictures.images[place]) for place in places_of(pictures, part).tolist()]
