"""One training over two processes gives what one process gives."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
import torch

from tests.training.conftest import ROOT
from tests.training.small_fit import fit_without_dropout, history, make_small_run, some_images, weights_of_loss
from training.distributed import World, joined
from training.errors import TrainingFailed
from training.trainer import epoch_order

TOLERANCE = 1e-4
"""Of losses around 0.7: sums are rounded in another order."""

CPU = torch.device("cpu")


def test_shares_make_up_the_batches_of_a_single_process() -> None:
    order = epoch_order(101, seed=42, epoch=3)
    shares = [World(rank, 4, CPU).share_of_training(order) for rank in range(4)]
    assert {len(share) for share in shares} == {25}
    for batch in range(25 // 2):  # of 8, 2 each
        together = {image for share in shares for image in share[2 * batch : 2 * batch + 2]}
        assert together == set(order[8 * batch : 8 * batch + 8])


def test_every_validation_image_falls_to_exactly_one_process() -> None:
    shares = [World(rank, 3, CPU).share_of_validation(10) for rank in range(3)]
    assert sorted(image for share in shares for image in share) == list(range(10))


def test_a_batch_that_cannot_be_shared_evenly_is_refused() -> None:
    assert World(1, 2, CPU).share_of_batch(32) == 16
    with pytest.raises(TrainingFailed, match="expected a --batch-size that 3 processes can share evenly, got 32"):
        World(0, 3, CPU).share_of_batch(32)


def test_one_process_alone_needs_no_others() -> None:
    with joined("cpu") as world:
        assert (world.rank, world.size, world.is_first) == (0, 1, True)
        np.testing.assert_array_equal(world.gathered(np.arange(3)), np.arange(3))
        assert world.from_first(lambda: "made") == "made"


@pytest.fixture(scope="module")
def alone_and_shared(tiny_original: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """What one process and what two leave, which torchrun starts."""
    folder = tmp_path_factory.mktemp("distributed")
    alone = make_small_run(tiny_original, folder / "alone")
    shared = Path(copytree(alone, folder / "shared"))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*torchrun, str(ROOT / "tests/training/small_fit.py"), str(shared)],
        env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (shared / "said.txt").write_text(done.stdout + done.stderr)
    fit_without_dropout(alone, World(0, 1, CPU))
    return alone, shared


def test_two_processes_end_like_one(alone_and_shared: tuple[Path, Path]) -> None:
    one, two = (history(folder) for folder in alone_and_shared)
    for name in ("train_loss", "val_loss"):
        found = [[float(row[name]) for row in rows] for rows in (one, two)]
        np.testing.assert_allclose(*found, atol=TOLERANCE, err_msg=name)


def test_every_process_ends_with_the_same_weights(alone_and_shared: tuple[Path, Path]) -> None:
    first, second = (torch.load(alone_and_shared[1] / f"rank{rank}.pth", weights_only=True) for rank in (0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_only_the_first_process_speaks_and_nothing_is_warned_of(alone_and_shared: tuple[Path, Path]) -> None:
    said = (alone_and_shared[1] / "said.txt").read_text()
    assert said.count("head 1/1:") == 1
    assert "warning" not in said.lower()


def test_batch_normalisation_over_two_processes_is_that_of_the_whole_batch(
    alone_and_shared: tuple[Path, Path],
) -> None:
    shares = [torch.load(alone_and_shared[1] / f"norm{rank}.pth", weights_only=True) for rank in (0, 1)]
    layer, images = torch.nn.BatchNorm2d(3), some_images().requires_grad_()
    out = layer(images)
    out.square().mul(weights_of_loss()).mean().backward()
    assert layer.weight.grad is not None
    assert layer.bias.grad is not None
    assert images.grad is not None
    for rank, share in enumerate(shares):
        expected = {
            "out": out.detach()[rank::2], "mean": layer.running_mean, "var": layer.running_var,
            "weight": layer.weight.grad, "bias": layer.bias.grad, "images": images.grad[rank::2],
        }  # fmt: skip
        for name, value in expected.items():
            torch.testing.assert_close(share[name], value, rtol=1e-4, atol=1e-4, msg=name)
