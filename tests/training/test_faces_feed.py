"""Batches of rendered pictures: twins beside each other, all of a part, the same in the same epoch."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch

from tests.training.pictures_run import make_pictures_run, small_feed
from tests.training.rendered import make_truth
from training.faces.feed import Feed, head_boxes
from training.splits import Splits


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Splits]:
    folder = tmp_path_factory.mktemp("feed") / "run"
    return folder, make_pictures_run(folder)


@pytest.fixture
def feed(made: tuple[Path, Splits]) -> Feed:
    return small_feed(*made)


def test_an_epoch_shows_every_picture_and_turned_heads_with_their_twins_again(feed: Feed) -> None:
    often = Counter(feed._order("train", 0).tolist())
    truths = feed._pictures.truths
    assert sorted(often) == feed._of("train").tolist()
    again = {place for place, times in often.items() if times == 3}
    assert {truths[place].scene for place in again} == {t.scene for t in truths[:24] if t.yaw > 40}
    assert set(often.values()) == {1, 3}


def test_an_epoch_has_whole_batches(feed: Feed) -> None:
    assert [len(batch.crops) for batch in feed.varied(32, 0)] == [8] * feed.steps()
    assert feed.count("train") == sum(len(batch.crops) for batch in feed.plain("train", 32)) == 24


def test_boxes_lie_between_the_faces_and_the_heads_and_nearer_to_it_where_no_face_was_found(feed: Feed) -> None:
    places = torch.arange(40).repeat(50)
    generator = torch.Generator().manual_seed(0)
    feed._heads = feed._boxes + torch.tensor([100.0, 0.0, 0.0])
    feed._detected = torch.arange(40) % 2 == 0
    moved = (feed._loosened(places, generator) - feed._boxes[places])[:, 0] / 100
    found = feed._detected[places]
    assert moved.min() >= 0 and moved.max() <= 1.501
    assert moved[found].max() <= 0.501 and moved[found].median() < 0.1
    assert moved[~found].median() > 0.8


def test_a_frontal_faces_box_is_about_that_round_its_head() -> None:
    truth = make_truth(head_box=(0.3, 0.2, 0.7, 0.7))
    x, y, side = head_boxes([truth], 200)[0].tolist()
    assert (x, side) == pytest.approx((100, 79))
    assert 80 < y < 90  # above the middle of the head box, which reaches from the hair to the chin


def test_twins_follow_each_other(feed: Feed) -> None:
    order = feed._order("train", 0)
    scenes = [feed._scenes[place] for place in order]
    assert scenes[::2] == scenes[1::2]
    assert not (feed._order("train", 1) == order).all()


def test_an_epoch_is_the_same_whatever_came_before(made: tuple[Path, Splits], feed: Feed) -> None:
    for _ in feed.varied(32, 0):
        pass
    first, second = next(feed.varied(32, 5)), next(small_feed(*made).varied(32, 5))
    assert first.crops.equal(second.crops)
    assert not first.crops.equal(next(small_feed(*made, seed=1).varied(32, 5)).crops)


def test_plain_crops_come_in_the_stores_order_and_no_more_than_asked(feed: Feed) -> None:
    whole = torch.cat([batch.crops for batch in feed.plain("train", 32)])
    few = torch.cat([batch.crops for batch in feed.plain("train", 32, limit=2)])
    assert few.equal(whole[[0, -1]])


def test_a_part_smaller_than_a_batch_is_one_batch(feed: Feed) -> None:
    assert [len(batch.crops) for batch in feed.varied(32, 0, "val")] == [8]
