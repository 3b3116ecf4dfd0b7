"""What training reads: pictures, videos, labels, arrays and checkpoints of strangers, and its own files, damaged."""

from __future__ import annotations

import csv
import io
import json
import pickle
import zipfile
import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

pytest.importorskip("torch")

import torch

from tests.fuzz.budget import count, dice, examples
from tests.fuzz.damage import ODDITIES, damaged, each_damage, in_time, make_odd
from training.daisee import Clip, read_labels
from training.errors import TrainingFailed
from training.extract import Task, extract_clip, read_done
from training.face import start_of
from training.faces.real import read_faces
from training.files import read_array, read_json
from training.fx import load_fx
from training.images import read_crop, read_image, to_jpeg
from training.index import Face, read_index, write_index
from training.model import AttentiveMobileNetV2, load_checkpoint, save_checkpoint
from training.splits import PARTS, Sample, content_hash, load_splits, save_splits
from training.weights import start_from


@lru_cache(maxsize=1)
def fresh() -> AttentiveMobileNetV2:
    """To be filled: made once, since that takes longer than all the rest."""
    return AttentiveMobileNetV2()


READERS: dict[str, Callable[[Path], object]] = {
    "checkpoint": load_checkpoint,
    "weights": lambda path: start_from(fresh(), str(path)),
    "detector": start_of,
    "quantized": load_fx,
    "arrays": read_faces,
    "image": read_crop,
    "labels": lambda path: read_labels([path]),
    "json": lambda path: read_json(path, what="something", advice="none"),
}
GREY = np.random.default_rng(0).integers(0, 256, (160, 160, 3), np.uint8)


class Canary:
    """Runs when it is unpickled by somebody who runs what files say."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.trace,)


def refused(read: Callable[[Path], object], path: Path) -> None:
    """With a sentence that names the file."""
    with pytest.raises(TrainingFailed, match=r"^expected ") as caught:
        in_time(lambda: read(path))
    assert path.name in caught.value.message
    assert len(caught.value.message) < 1500


def refused_or_read(read: Callable[[Path], object], path: Path) -> None:
    """Nothing but that."""
    try:
        in_time(lambda: read(path))
    except TrainingFailed as error:
        assert error.message.startswith("expected ") and path.name in error.message


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", ODDITIES)
def test_what_is_no_file_of_its_kind_is_refused(tmp_path: Path, reader: str, kind: str) -> None:
    refused(READERS[reader], make_odd(tmp_path / "file.bin", kind))


@pytest.mark.parametrize("reader", ["checkpoint", "weights", "detector", "quantized", "arrays"])
@pytest.mark.parametrize("form", ["zip", "plain", "bare pickle", "npz", "npy"])
def test_no_file_runs_code(tmp_path: Path, reader: str, form: str) -> None:
    path, trace = tmp_path / "file.bin", tmp_path / "trace"
    evil: Any = {"model_state_dict": Canary(trace), "images": Canary(trace)}
    with path.open("wb") as stream:
        if form == "npz":
            one = np.array([evil], object)
            np.savez(stream, images=one, person=one, pose=one, sunglasses=one)
        elif form == "npy":
            np.save(stream, np.array([evil], object), allow_pickle=True)
        elif form == "bare pickle":
            pickle.dump(evil, stream)
        else:
            torch.save(evil, stream, _use_new_zipfile_serialization=form == "zip")
    refused(READERS[reader], path)
    assert not trace.exists()
    if form == "bare pickle":
        pickle.loads(path.read_bytes())
        assert trace.exists()


STATES: dict[str, Any] = {
    "number": 5, "none": None, "list": [1], "text": "signals.weight", "empty": {}, "words": {"head.1.weight": "x"},
    "numbered": {1: torch.zeros(1)}, "scalar": {"head.1.weight": torch.tensor(1.0)},
}  # fmt: skip


@pytest.mark.parametrize("reader", ["checkpoint", "weights", "detector", "quantized"])
@pytest.mark.parametrize("state", STATES)
def test_a_file_of_tensors_that_is_no_state_is_refused(tmp_path: Path, reader: str, state: str) -> None:
    path = tmp_path / "file.pth"
    for document in (STATES[state], {"model_state_dict": STATES[state], "engine": 7}):
        torch.save(document, path)
        refused(READERS[reader], path)


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    """Of a model as it is made."""
    return fresh().state_dict()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("head.1.weight", torch.zeros(1).expand(64, 10**12)),
        ("head.1.weight", torch.full((64, 1280), float("nan"))),
        ("head.1.weight", torch.zeros(64, 1280).to_sparse()),
        ("head.1.weight", torch.zeros(64, 1280, dtype=torch.complex64)),
        ("head.1.weight", torch.zeros(64, 1281)),
        ("head.1.weight", torch.zeros(0, 0)),
        ("backbone.features.0.0.weight", torch.zeros(32, 3)),
        ("backbone.features.0.1.weight", torch.zeros(())),
        ("signals.weight", torch.zeros(8)),
    ],
    ids=["endless", "NaN", "sparse", "complex", "too wide", "nothing", "flat", "scalar", "half of signals"],
)
def test_a_checkpoint_with_a_mad_tensor_is_refused(
    tmp_path: Path, state: dict[str, torch.Tensor], name: str, value: torch.Tensor
) -> None:
    torch.save({"model_state_dict": {**state, name: value}}, tmp_path / "file.pth")
    refused(load_checkpoint, tmp_path / "file.pth")


@pytest.mark.parametrize("more", [{"split_sha256": 5}, {"meta": [1]}, {"meta": None}])
def test_a_checkpoint_that_belongs_to_nothing_is_refused(
    tmp_path: Path, state: dict[str, torch.Tensor], more: dict[str, object]
) -> None:
    torch.save({"model_state_dict": state, **more}, tmp_path / "file.pth")
    refused(load_checkpoint, tmp_path / "file.pth")


def test_a_damaged_checkpoint_is_refused_or_whole(tmp_path: Path) -> None:
    path, random = tmp_path / "file.pth", dice(9)
    save_checkpoint(path, fresh(), split_sha256="a" * 64, meta={})
    whole = path.read_bytes()
    for _ in range(count(4)):
        head = damaged(whole[:40_000], random)  # the pickle comes first, the weights and the directory follow
        path.write_bytes(head + whole[40_000:])
        refused_or_read(load_checkpoint, path)
    for _ in each_damage(path, whole, count(2), random):
        refused_or_read(load_checkpoint, path)


def test_a_checkpoint_or_archive_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}))
        archive.writestr("archive/data/0", bytes(1 << 20))
    data = bytearray(path.read_bytes())
    place = data.rindex(b"PK\x01\x02") + 24  # the directory's word on the size
    data[place : place + 4] = (0xFFFFFFF0).to_bytes(4, "little")
    path.write_bytes(data)
    refused(load_checkpoint, path)
    refused(read_faces, path)


def png(width: int, height: int, rows: bytes = b"") -> bytes:
    """A PNG whose header says so, whatever follows."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\0\0\0"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def encoded(mode: str, kind: str, size: tuple[int, int] = (160, 160), **options: Any) -> bytes:
    """A picture by Pillow."""
    file = io.BytesIO()
    Image.new(mode, size, 100).save(file, kind, **options)
    return file.getvalue()


EXIF = Image.Exif()
EXIF[0x0112] = 6


@pytest.mark.parametrize(
    "data",
    [
        encoded("L", "JPEG"), encoded("CMYK", "JPEG"), encoded("L", "PNG"), encoded("I;16", "PNG"), encoded("1", "PNG"),
        encoded("P", "PNG"), encoded("RGBA", "PNG"), encoded("LA", "PNG"), encoded("RGB", "PNG", (1, 1)),
        encoded("RGB", "JPEG", (1, 3000)), encoded("RGB", "JPEG", (320, 160), exif=EXIF),
    ],
    ids=["grey", "CMYK", "grey PNG", "16 bits", "1 bit", "palette", "alpha", "grey alpha", "1x1", "thin", "turned"],
)  # fmt: skip
def test_a_picture_of_any_form_becomes_a_crop(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "face.jpg").write_bytes(data)
    crop = read_crop(tmp_path / "face.jpg")
    assert crop.shape == (160, 160, 3) and crop.dtype == np.uint8


@pytest.mark.parametrize(
    "data",
    [
        png(30_000, 30_000), png(2**31 - 1, 2**31 - 1), png(0, 0), png(160, 160), png(160, 160, b"\0" * 500),
        to_jpeg(GREY)[:20], encoded("RGB", "BMP"), encoded("RGB", "TIFF"), b"GIF89a" + bytes(50), b"\xff\xd8\xff",
    ],
    ids=["bomb", "larger bomb", "no size", "no rows", "few rows", "head alone", "BMP", "TIFF", "GIF", "JPEG's mark"],
)  # fmt: skip
def test_what_is_no_picture_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "face.jpg").write_bytes(data)
    refused(read_crop, tmp_path / "face.jpg")


def test_a_damaged_picture_is_refused_or_read(tmp_path: Path) -> None:
    _, whole_png = cv2.imencode(".png", GREY)
    for whole in (to_jpeg(GREY), whole_png.tobytes(), encoded("CMYK", "JPEG")):
        for _ in each_damage(tmp_path / "face.jpg", whole, count(25), dice(10)):
            refused_or_read(read_crop, tmp_path / "face.jpg")
            found = read_image(tmp_path / "face.jpg")
            assert found is None or (found.ndim == 3 and found.dtype == np.uint8)


def labels_file(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([["ClipID", "Boredom", " Engagement "], *rows])
    return text.getvalue().encode()


def test_damaged_labels_are_refused_or_0_to_3(tmp_path: Path) -> None:
    path, whole = tmp_path / "TrainLabels.csv", labels_file([[f"{n}.avi", "0", str(n % 4)] for n in range(50)])
    for _ in each_damage(path, whole, count(50), dice(11)):
        try:
            found = read_labels([path])
        except TrainingFailed as error:
            assert str(path.parent) in error.message
        else:
            assert {value for values in found.values() for value in values} <= {None, 0, 1, 2, 3}


@examples(40)
@given(cells=st.lists(st.lists(st.text(max_size=12) | st.sampled_from(("1e400", "nan", "-0", "²", "٣", "3.0")))))
def test_labels_of_any_words_are_refused_or_0_to_3(
    tmp_path_factory: pytest.TempPathFactory, cells: list[list[str]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "TestLabels.csv"
    path.write_bytes(labels_file([["a.avi", "0", "2"]]) + "\n".join(",".join(row) for row in cells).encode())
    try:
        found = read_labels([path])
    except TrainingFailed as error:
        assert path.name in error.message
    else:
        assert {value for values in found.values() for value in values} <= {None, 0, 1, 2, 3}


def test_damaged_arrays_are_refused_or_faces(tmp_path: Path) -> None:
    path = tmp_path / "faces.npz"
    sunglasses, pose = np.array([False, True] * 3), np.array(["straight", "left"] * 3)
    np.savez_compressed(path, images=GREY[:6, :60, :1].repeat(64, 2), person=pose, pose=pose, sunglasses=sunglasses)
    for _ in each_damage(path, path.read_bytes(), count(50), dice(12)):
        refused_or_read(read_faces, path)


@pytest.mark.parametrize(
    "header", [b"", b"\x93NUMPY\x01\x00\xff\xff", b"\x93NUMPY\x02\x00\xff\xff\xff\xff", b"PK\x03\x04"]
)
def test_an_array_without_an_end_is_refused(tmp_path: Path, header: bytes) -> None:
    (tmp_path / "images.npy").write_bytes(header)
    with pytest.raises((OSError, ValueError)):
        read_array(tmp_path / "images.npy")


def test_damaged_splits_are_refused_or_whole(tmp_path: Path) -> None:
    parts: dict[Any, list[Sample]] = {
        part: [Sample(f"{part}{label}.jpg", "p", "c", label) for label in (0, 1)] for part in PARTS
    }
    for sample in (sample for part in parts.values() for sample in part):
        (tmp_path / sample.file).write_bytes(sample.file.encode())
    save_splits(tmp_path, parts, {"crop_scale": 1.25})
    path = tmp_path / "dataset_splits.json"
    whole = path.read_bytes()
    for _ in each_damage(path, whole, count(40), dice(13)):
        refused_or_read(lambda _: load_splits(tmp_path), path)
    for label, scale in ((7, 1.0), (-1, 1.0), ("1", 1.0), (True, 1.0), (None, 1.0), (1, "x"), (1, -1), (1, 10**400)):
        document = json.loads(whole)
        document["settings"]["crop_scale"] = scale
        document["test_labels"][1] = label
        forged = {**parts, "test": [parts["test"][0], Sample("test1.jpg", "p", "c", label)]}  # type: ignore[arg-type]
        document["sha256"] = content_hash(tmp_path, forged)
        path.write_text(json.dumps(document))
        refused(lambda _: load_splits(tmp_path), path)


def test_a_damaged_record_or_index_is_done_again_or_refused(tmp_path: Path) -> None:
    video = tmp_path / "film.avi"
    clip = Clip("p", "film", "train", video, 3)
    task, random = Task(tmp_path, clip, 1.25), dice(14)
    make_odd(video, "text")
    extract_clip(task)
    assert read_done(task) is not None
    for _ in each_damage(task.record, task.record.read_bytes(), count(40), random):
        read_done(task)
    face = Face("faces/a.jpg", "p", "film", "train", 3, 1, 0, 0.0, 1.0, 2.0, 3.0)
    index = write_index(tmp_path, [face] * 3)
    for _ in each_damage(index, index.read_bytes(), count(40), random):
        refused_or_read(lambda _: read_index(tmp_path), index)


@pytest.mark.parametrize("kind", [kind for kind in ODDITIES if kind != "missing"])
def test_a_clip_that_is_no_video_is_left_out_with_its_reason(tmp_path: Path, kind: str) -> None:
    clip = Clip("p", "film", "train", make_odd(tmp_path / "film.avi", kind), 3)
    try:
        _, found = in_time(lambda: extract_clip(Task(tmp_path, clip, 1.25)))
    except TrainingFailed as error:
        assert kind == "loop" and "film.avi" in error.message
    else:
        assert not found.faces and [drop.reason for drop in found.drops] == ["video does not open"]
