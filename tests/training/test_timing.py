"""Interleaved timing, by a clock and models of our own."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from peer.perception.crop import Pixels  # noqa: E402
from training.timing import WARM_UP_ROUNDS, one_thread, summarise, time_rounds  # noqa: E402
from training.variants import Scorer  # noqa: E402


class Bench:
    """A clock that goes on by what each model is said to cost, times `load`; and what was scored, in order."""

    def __init__(self, costs_s: dict[str, float], loads: list[float] | None = None) -> None:
        self.now = 0.0
        self.seen: list[tuple[str, list[int]]] = []
        self._costs = costs_s
        self._loads = loads or [1.0]

    def clock(self) -> float:
        return self.now

    def scorers(self) -> dict[str, Scorer]:
        return {name: self._scorer(name) for name in self._costs}

    def rounds(self) -> list[list[str]]:
        names = [name for name, _ in self.seen]
        return [names[start : start + len(self._costs)] for start in range(0, len(names), len(self._costs))]

    def _scorer(self, name: str) -> Scorer:
        def score(crops: Pixels) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
            load = self._loads[len(self.seen) // len(self._costs) % len(self._loads)]
            self.seen.append((name, crops[:, 0, 0, 0].tolist()))
            self.now += self._costs[name] * load
            return np.zeros(len(crops), np.float32)

        return score


def numbered(count: int) -> Pixels:
    """(count, 160, 160, 3): crop i is filled with i."""
    return np.repeat(np.arange(count, dtype=np.uint8), 160 * 160 * 3).reshape(count, 160, 160, 3)


COSTS = {"slow": 0.010, "fast": 0.002, "middle": 0.005, "other": 0.004}


def test_every_round_visits_every_model_once_in_an_order_of_its_own() -> None:
    bench = Bench(COSTS)
    times = time_rounds(bench.scorers(), numbered(4), batch=1, rounds=12, clock=bench.clock)
    rounds = bench.rounds()
    assert len(rounds) == 12 + WARM_UP_ROUNDS
    assert all(sorted(each) == sorted(COSTS) for each in rounds)
    assert len({tuple(each) for each in rounds}) > 5
    assert {name: found.shape for name, found in times.items()} == dict.fromkeys(COSTS, (12,))


def test_a_round_gives_all_models_the_same_crops_and_the_next_round_others() -> None:
    bench = Bench(COSTS)
    time_rounds(bench.scorers(), numbered(4), batch=3, rounds=1, clock=bench.clock)
    first, second, third = (bench.seen[start][1] for start in (0, 4, 8))
    assert (first, second, third) == ([0, 1, 2], [3, 0, 1], [2, 3, 0])
    assert all(crops == first for _, crops in bench.seen[:4])


def test_times_are_per_image_and_the_warm_up_does_not_count() -> None:
    bench = Bench({"slow": 0.010, "fast": 0.002}, loads=[50.0] * WARM_UP_ROUNDS + [1.0] * 5)
    times = time_rounds(bench.scorers(), numbered(5), batch=5, rounds=5, clock=bench.clock)
    np.testing.assert_allclose(times["slow"], 2.0)
    np.testing.assert_allclose(times["fast"], 0.4)


def test_a_machine_that_is_busy_at_times_leaves_the_speed_up_as_it_is() -> None:
    bench = Bench({"slow": 0.010, "fast": 0.002}, loads=[1.0, 3.0, 1.0, 7.0, 2.0])
    times = time_rounds(bench.scorers(), numbered(5), batch=1, rounds=15, clock=bench.clock)
    found = summarise(times, "slow")
    assert found["fast"].speedup == pytest.approx(5.0)
    assert found["slow"].speedup == 1.0
    assert found["fast"].ms == pytest.approx(4.0)


def test_the_speed_up_compares_within_rounds() -> None:
    times = {"slow": np.array([10.0, 20.0, 30.0, 40.0, 50.0]), "fast": np.array([10.0, 4.0, 6.0, 8.0, 10.0])}
    assert summarise(times, "slow")["fast"].speedup == 5.0


def test_one_thread_is_one_thread_and_no_longer() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(ZeroDivisionError), one_thread():
            assert torch.get_num_threads() == 1
            _ = 1 / 0
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
