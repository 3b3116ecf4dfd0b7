"""The face detector's network, what it is to say, and that it learns."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from training.errors import TrainingFailed
from training.face_fit import AVERAGE, LAST_SHARE, PEAK_RATE, fit, follow, rate
from training.face_network import CELL, COLUMNS, ROWS, UNIT, DeployedFaceNetwork, FaceNetwork, centres
from training.face_targets import loss, targets


def one(x: float, y: float, side: float, sure: float = 1.0) -> torch.Tensor:
    """(1, 2, 4): a face, and a row that holds none."""
    return torch.tensor([[[x, y, side, sure], [0, 0, 0, 0]]])


def test_the_network_is_small_and_deployed_it_gives_a_row_for_each_cell() -> None:
    network = FaceNetwork().eval()
    assert sum(parameter.numel() for parameter in network.parameters()) < 60_000
    rows = DeployedFaceNetwork(network)(torch.zeros(1, 120, 160, 3, dtype=torch.uint8))
    assert rows.shape == (1, ROWS * COLUMNS, 4)
    assert rows[..., 0].max() < 0.1  # before it has learnt, nothing is a face


def test_targets_said_by_the_network_come_out_as_the_box() -> None:
    wanted = targets(one(83.0, 41.0, 37.0))
    row, column = divmod(int(wanted.score[0].argmax()), COLUMNS)
    x, y = centres()[:, row, column]
    dx, dy, size = wanted.box[0, :, row, column]
    assert [float(x + dx * CELL), float(y + dy * CELL), float(torch.exp(size) * UNIT)] == pytest.approx([83, 41, 37])
    assert wanted.score[0, row, column] == 1.0
    assert abs(float(x) - 83) <= CELL / 2 and abs(float(y) - 41) <= CELL / 2


def test_nobody_answers_for_a_scene_without_a_face() -> None:
    wanted = targets(torch.zeros(1, 2, 4))
    assert wanted.score.max() == 0 and wanted.share.max() == 0
    assert wanted.asked.min() == 1


def test_a_face_that_may_be_missed_is_not_asked_for_and_the_rest_of_the_scene_is() -> None:
    wanted = targets(one(80.0, 60.0, 40.0, sure=0.0))
    assert wanted.score.max() == 0
    assert wanted.asked[0, ROWS // 2, COLUMNS // 2] == 0
    assert wanted.asked[0, 0, 0] == 1


def test_of_two_faces_each_cell_answers_for_the_nearer_one() -> None:
    faces = torch.tensor([[[40.0, 60.0, 30.0, 1.0], [120.0, 60.0, 50.0, 1.0]]])
    wanted = targets(faces)
    assert float(wanted.side[0, 8, 4]) == 30.0
    assert float(wanted.side[0, 8, 15]) == 50.0


def test_the_loss_is_least_where_everything_is_said_right() -> None:
    wanted = targets(one(80.0, 60.0, 40.0))
    right = torch.cat((torch.logit(wanted.score, 1e-4)[:, None], wanted.box), dim=1)
    shifted = right.clone()
    shifted[:, 1] += 1.0
    unsure = right.clone()
    unsure[:, 0] = 0.0
    assert float(loss(right, wanted)) < 0.01
    assert float(loss(shifted, wanted)) > float(loss(right, wanted)) + 0.1
    assert float(loss(unsure, wanted)) > float(loss(right, wanted)) + 0.1


def discs(count: int, size: int, seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Batches of a light disc in the dark, whose box is its bounding square."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:120, :160]
    for _ in range(count):
        rgb, faces = np.full((size, 120, 160, 3), 30, np.uint8), np.zeros((size, 3, 4), np.float32)
        for number in range(size):
            x, y, side = random.uniform(30, 130), random.uniform(30, 90), random.uniform(25, 50)
            rgb[number][np.hypot(columns - x, rows - y) < side / 2] = 220
            faces[number, 0] = x, y, side, 1
        yield torch.from_numpy(rgb), torch.from_numpy(faces)


def test_it_learns_to_find_a_disc() -> None:
    heard: list[float] = []
    network = fit(discs(100, 8, 0), 100, seed=1, on_report=lambda _, value: heard.append(value))
    assert len(heard) == 1
    assert not network.training
    (rgb, faces), deployed = next(discs(1, 8, 1)), DeployedFaceNetwork(network)
    for frame, (x, y, _, _) in zip(rgb, faces[:, 0], strict=True):
        found = deployed(frame[None])[0]
        best = found[found[:, 0].argmax()]
        assert torch.hypot(best[1] - x, best[2] - y) < 12


def test_the_same_seed_learns_the_same() -> None:
    one, other = (fit(discs(3, 2, 0), 3, seed=5).state_dict() for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_loss_that_is_no_number_ends_it() -> None:
    rgb, faces = next(discs(1, 2, 0))
    faces[0, 0, 0] = torch.nan
    with pytest.raises(TrainingFailed, match="a loss that is a number, got nan at step 0"):
        fit([(rgb, faces)], 1, seed=0)


def test_the_rate_rises_falls_and_never_ends() -> None:
    rates = [rate(step, 1000) for step in range(1000)]
    assert rates[0] < rates[100] < rates[199]
    assert max(rates) <= PEAK_RATE
    assert rates[-1] == pytest.approx(PEAK_RATE * LAST_SHARE, rel=0.5)


def test_the_mean_follows_and_counts_along() -> None:
    mean, network = FaceNetwork(), FaceNetwork()
    before = mean.head.weight.clone()
    network.stem[1].num_batches_tracked += 7
    follow(mean, network, AVERAGE)
    expected = before * AVERAGE + network.head.weight * (1 - AVERAGE)
    assert torch.allclose(mean.head.weight, expected, atol=1e-6)
    assert mean.stem[1].num_batches_tracked == 7
