"""People, poses and skins on the real assets, without Blender: lids in real units, tones over the whole scale."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from training.errors import TrainingFailed
from training.faces.assets import check, manifest
from training.faces.atlas import SHAPE, make_atlas
from training.faces.behaviour import Face, Pose
from training.faces.figure import about, eyeballs, gaze_seen, make_figure, rotation_vector
from training.faces.kit import Kit, load_kit
from training.faces.makehuman import read_mesh, read_proxy, read_target
from training.faces.person import make_person
from training.faces.skin import base_tone, paint, to_linear, to_srgb
from training.faces.truth import OPEN_LID_GAP

ASSETS = Path(__file__).parents[3] / "shared/assets/makehuman"
STILL = Pose(0.0, 0.0, 0.0)
AHEAD = Face(gaze_yaw=0.0, gaze_pitch=0.0, lid_left=1.0, lid_right=1.0)


@pytest.fixture(scope="module")
def kit() -> Kit:
    if not ASSETS.is_dir():
        pytest.skip(f"no MakeHuman assets at {ASSETS}")
    return load_kit(ASSETS)


def test_the_assets_are_those_of_the_manifest(kit: Kit) -> None:
    check(kit.root, manifest())


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("lid", [0.0, 0.3, 1.0])
def test_lids_open_as_far_as_they_are_told_on_every_face(kit: Kit, seed: int, lid: float) -> None:
    person = make_person(kit, seed)
    figure = make_figure(kit, person, STILL, replace(AHEAD, lid_left=lid, lid_right=lid), (0.0, 0.0))
    wanted = lid * person.lid_open / OPEN_LID_GAP
    assert figure.lid_left == pytest.approx(wanted, abs=0.12)
    assert figure.lid_right == pytest.approx(wanted, abs=0.12)


def test_the_nose_points_where_the_pose_says(kit: Kit) -> None:
    person = make_person(kit, 3)
    for pose, towards in ((Pose(40, 0, 0), (np.sin(np.radians(40)), 0)), (Pose(0, -30, 0), (0, -0.5))):
        figure = make_figure(kit, person, pose, AHEAD, (0.0, 0.0))
        forward = figure.point(figure.face_centre + np.array([0, 0, 1])) - figure.point(figure.face_centre)
        assert forward[:2] == pytest.approx(np.array(towards), abs=0.03)


def test_the_shoulders_hardly_move_when_the_head_does(kit: Kit) -> None:
    person = make_person(kit, 3)
    shoulder = person.points[np.argmin(np.abs(person.points - [1.5, 5.0, 0.0]).sum(1))].astype(float)
    ahead, down = (make_figure(kit, person, Pose(0, pitch, 0), AHEAD, (0, 0)).point(shoulder) for pitch in (0, -40))
    assert np.linalg.norm(ahead - down) < 0.01


def test_eyes_turn_by_the_gaze_and_stay_in_their_sockets(kit: Kit) -> None:
    person = make_person(kit, 3)
    figure = make_figure(kit, person, STILL, AHEAD, (0.0, 0.0))
    ahead = eyeballs(kit, figure, STILL, AHEAD)
    turned = eyeballs(kit, figure, STILL, replace(AHEAD, gaze_yaw=30.0))
    left = ahead[:, 0] > 0
    front = ahead[left][:, 2].argmax()  # the cornea
    assert turned[left][front, 0] > ahead[left][front, 0] + 0.02
    assert (turned[left].max(0) + turned[left].min(0)) / 2 == pytest.approx(
        (ahead[left].max(0) + ahead[left].min(0)) / 2, abs=0.03
    )


def test_people_differ_and_their_seeds_say_how(kit: Kit) -> None:
    people = [make_person(kit, seed) for seed in range(40)]
    assert (people[0].points == make_person(kit, 0).points).all()
    assert len({person.skin.tone for person in people}) >= 7
    assert {person.sex for person in people} == {"male", "female"}
    assert not any(person.skin.beard != "none" for person in people if person.sex == "female")


def test_skins_get_darker_along_the_monk_scale_and_are_never_grey(kit: Kit) -> None:
    skin = make_person(kit, 0).skin
    tones = [base_tone(replace(skin, tone=tone, lightness=1.0, undertone=(1, 1, 1))) for tone in range(1, 11)]
    lightness = [float(tone.mean()) for tone in tones]
    assert lightness[0] > 4 * lightness[-1]
    assert all(later <= earlier * 1.06 for earlier, later in pairwise(lightness))
    assert all(red > green > blue for red, green, blue in tones)


def test_painting_puts_a_beard_on_the_chin_and_not_on_the_brow(kit: Kit) -> None:
    atlas = make_atlas(kit)
    skin = replace(make_person(kit, 0).skin, tone=3, beard="none", scalp=0.0)
    bearded = replace(skin, beard="full", beard_density=0.9, beard_colour=(0.02, 0.02, 0.02))
    plain, full = (paint(one, atlas, np.random.default_rng(0)) for one in (skin, bearded))
    assert plain.shape == (*SHAPE, 3)
    darker = (plain - full).mean(2)
    assert darker[(atlas.masks["full"] > 0.9) & (atlas.masks["mouth"] == 0)].mean() > 0.1
    assert np.abs(darker[(atlas.masks["forehead_lines"] > 0.5)]).mean() < 0.02


def test_linear_light_and_srgb_are_inverse() -> None:
    values = np.linspace(0, 1, 65, dtype=np.float32)
    assert to_srgb(to_linear(values)) == pytest.approx(values, abs=1e-5)


def test_a_rotation_vector_turns_back_into_its_rotation() -> None:
    assert rotation_vector(about("y", 0.7)) == pytest.approx([0, 0.7, 0])
    assert rotation_vector(np.eye(3)) == pytest.approx([0, 0, 0])


def test_files_that_are_not_what_they_should_be_are_named(tmp_path: Path) -> None:
    broken = tmp_path / "a.target"
    broken.write_text("# a target\n12 0.5 0.5\n")
    with pytest.raises(TrainingFailed, match=r"expected MakeHuman's format at .*a\.target:2"):
        read_target(broken)
    with pytest.raises(TrainingFailed, match=r"expected an asset at .*gone\.obj"):
        read_mesh(tmp_path / "gone.obj")
    (tmp_path / "hat.obj").write_text("v 0 0 0\nv 1 0 0\nvt 0 0\nf 1/1 2/1 1/1\n")
    (tmp_path / "hat.mhclo").write_text("obj_file hat.obj\nx_scale 0 1 2.0\nverts 0\n3\n")
    with pytest.raises(TrainingFailed, match="got 1 anchors for 2 vertices"):
        read_proxy(tmp_path / "hat.mhclo")


def test_a_proxy_follows_the_body_and_its_size(tmp_path: Path) -> None:
    (tmp_path / "hat.obj").write_text("v 0 0 0\nv 1 0 0\nvt 0 0\nf 1/1 2/1 1/1\n")
    (tmp_path / "hat.mhclo").write_text(
        "obj_file hat.obj\nx_scale 0 1 2.0\nverts 0\n1\n0 1 2 0.5 0.5 0 1 0 0\ndelete_verts\n4 7 - 9\n"
    )
    proxy = read_proxy(tmp_path / "hat.mhclo")
    body = np.array([[0, 0, 0], [4, 0, 0], [0, 0, 0]], np.float32)
    assert proxy.fit(body).tolist() == [[4, 0, 0], [2 + 2, 0, 0]]
    assert proxy.hides == {4, 7, 8, 9}


def test_gaze_is_told_as_the_camera_sees_it() -> None:
    look = replace(AHEAD, gaze_yaw=20.0, gaze_pitch=-10.0)
    assert gaze_seen(STILL, look) == pytest.approx((20.0, -10.0))
    tilted = Pose(0.0, 0.0, 90.0)
    assert gaze_seen(tilted, replace(AHEAD, gaze_yaw=20.0)) == pytest.approx((0.0, 20.0))
    lowered = Pose(0.0, -40.0, 0.0)
    assert gaze_seen(lowered, replace(AHEAD, gaze_pitch=-40.0)) == pytest.approx((0.0, -40.0))
    yaw, _ = gaze_seen(lowered, replace(AHEAD, gaze_yaw=20.0, gaze_pitch=-40.0))
    assert yaw > 24  # the same turn carries further round where the head looks down
