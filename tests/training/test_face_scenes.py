"""Scenes for the face detector: where the faces lie, which of them count, and that equal numbers are equal scenes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.training.pictures_run import BOX, make_pictures_run
from tests.training.rendered import draw, make_truth
from training.face_backdrops import backdrop
from training.face_feed import HARD_TIMES, SceneDataset, batches, box_map, clean_boxes, places_of, with_hard_ones
from training.face_light import photographed, relit
from training.face_mattes import SIDE, cut_mattes, matte
from training.face_scenes import FACE, HEIGHT, MAYBE, SIDES, WIDTH, Scene, SceneMaker
from training.faces.pictures import FOLDER, IMAGES_FILE, load_pictures
from training.faces.truth import Mode

SCENES = 150


def grey_with_disc() -> np.ndarray:
    """(192, 192, 3): a green disc in two shades where the face is, in a grey room."""
    picture = np.full((192, 192, 3), 100, np.uint8)
    cv2.circle(picture, (96, 100), 40, (0, 255, 0), -1)
    cv2.circle(picture, (96, 100), 15, (0, 200, 0), -1)
    return picture


@pytest.fixture(scope="module")
def maker() -> SceneMaker:
    images = np.stack([grey_with_disc()] * 2)
    mattes = np.full((2, SIDE, SIDE), 255, np.uint8)
    return SceneMaker(images, mattes, np.array([BOX] * 2, np.float32), [0, 1])


@pytest.fixture(scope="module")
def scenes(maker: SceneMaker) -> list[Scene]:
    return [maker.make(0, np.random.default_rng(number)) for number in range(SCENES)]


def test_scenes_have_the_detectors_size_and_faces_of_all_sizes(scenes: list[Scene]) -> None:
    assert {scene.rgb.shape for scene in scenes} == {(HEIGHT, WIDTH, 3)}
    assert {scene.rgb.dtype for scene in scenes} == {np.dtype(np.uint8)}
    sides = [float(face[2]) for scene in scenes for face in scene.faces]
    assert min(sides) < 15 and max(sides) > 80
    assert all(SIDES[0] * 0.99 <= side <= SIDES[1] * 1.2 for side in sides)


def test_some_scenes_are_empty_and_some_hold_two(scenes: list[Scene]) -> None:
    counts = [len(scene.faces) for scene in scenes]
    assert 0.05 < np.mean([count == 0 for count in counts]) < 0.3
    assert 2 in counts and max(counts) <= 2


def test_a_face_to_be_found_lies_in_the_scene_and_one_that_is_cut_off_may_be_missed(scenes: list[Scene]) -> None:
    faces = np.concatenate([scene.faces for scene in scenes])
    assert set(faces[:, 3].tolist()) == {FACE, MAYBE}
    sure = faces[faces[:, 3] == FACE]
    assert np.all((sure[:, 0] >= 0) & (sure[:, 0] < WIDTH) & (sure[:, 1] >= 0) & (sure[:, 1] < HEIGHT))


def test_the_box_is_where_the_face_was_drawn(maker: SceneMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.face_scenes.relit", lambda _, rgb: rgb)
    monkeypatch.setattr("training.face_scenes.photographed", lambda _, rgb: rgb)
    monkeypatch.setattr("training.face_scenes.OCCLUDED_SHARE", 0.0)
    monkeypatch.setattr("training.face_scenes.SCRAMBLED_SHARE", 0.0)
    monkeypatch.setattr(
        "training.face_scenes.backdrop", lambda _, width, height, *more: np.full((height, width, 3), 100, np.uint8)
    )
    monkeypatch.setattr("training.face_scenes.COMPANY_SHARE", 0.0)
    looked_at = 0
    for number in range(60):
        scene = maker.make(0, np.random.default_rng(number))
        for x, y, side, kind in scene.faces:
            inside = side / 2 < x < WIDTH - side / 2 and side / 2 < y < HEIGHT - side / 2
            if kind != FACE or not inside or side < 15:
                continue
            green = np.argwhere((scene.rgb[..., 1] > 180) & (scene.rgb[..., 0] < 60))
            if not len(green):  # behind a bar
                continue
            along, across = green.min(axis=0), green.max(axis=0) + 1
            middle = (along + across) / 2
            if (across - along).min() < 0.8 * side:  # cut by a bar
                continue
            assert middle[::-1] == pytest.approx([float(x), float(y)], abs=max(1.0, 0.03 * float(side)))
            looked_at += 1
    assert looked_at > 15


def test_rooms_light_and_cameras_keep_shape_and_type_and_differ() -> None:
    random = np.random.default_rng(0)
    rooms = [photographed(random, relit(random, backdrop(random, WIDTH, HEIGHT))) for _ in range(40)]
    assert {room.shape for room in rooms} == {(HEIGHT, WIDTH, 3)}
    assert {room.dtype for room in rooms} == {np.dtype(np.uint8)}
    assert len({room.tobytes() for room in rooms}) == 40


def test_a_matte_holds_the_head_and_not_the_room() -> None:
    rgb = cv2.resize(draw(make_truth(3)), (192, 192))[..., ::-1]
    found = matte(np.ascontiguousarray(rgb), BOX)
    assert found.shape == (SIDE, SIDE)
    assert found[50, 48] > 200
    assert found[:6, :6].max() == 0


def test_a_run_gives_batches_that_depend_on_seed_and_number_alone(tmp_path: Path) -> None:
    splits = make_pictures_run(tmp_path)
    pictures = load_pictures(tmp_path, splits.sha256)
    boxes = clean_boxes(pictures, box_map(pictures))
    places = places_of(pictures, "train")
    often = with_hard_ones(pictures, places.tolist())
    away = [place for place in places.tolist() if pictures.truths[place].mode in (Mode.AWAY, Mode.DOWN)]
    assert len(often) == len(places) + (HARD_TIMES - 1) * len(away) > len(places)
    mattes = tmp_path / "face" / "mattes.npy"
    cut_mattes(tmp_path / FOLDER / IMAGES_FILE, boxes, places.tolist(), mattes, jobs=1)
    assert np.load(mattes)[places].any(axis=(1, 2)).all()
    assert not np.load(mattes)[places_of(pictures, "test")].any()

    def scene(number: int, seed: int) -> bytes:
        data = SceneDataset(tmp_path, mattes, boxes, places.tolist(), count=8, seed=seed)
        rgb, faces = data[number]
        return rgb.numpy().tobytes() + faces.numpy().tobytes()

    assert scene(3, 1) == scene(3, 1) != scene(3, 2)
    data = SceneDataset(tmp_path, mattes, boxes, places.tolist(), count=10, seed=1)
    rgb, faces = next(batches(data, 4, workers=0))
    assert rgb[3].numpy().tobytes() + faces[3].numpy().tobytes() == scene(3, 1)
    assert len(list(batches(data, 4, workers=0))) == 2
