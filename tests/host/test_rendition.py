"""When a viewer gets the small rendition, and when the full one is tried again."""

from __future__ import annotations

from host.rendition import CONGESTED_AFTER_S, RETRY_FIRST_S, TRIAL_S, RenditionChooser

FULL_BYTES = 187_500
"""A second of 1.5 Mbit/s."""


class Viewer:
    """A viewer who is sent the full rendition, second by second."""

    def __init__(self) -> None:
        self.chooser = RenditionChooser()
        self.now = 100.0

    def second(self, estimate_kbps: int) -> bool:
        """One second of stream and one estimate; whether the viewer has the small rendition then."""
        self.now += 1.0
        self.chooser.sent(20_000 if self.chooser.small else FULL_BYTES, self.now)
        self.chooser.estimate(estimate_kbps * 1000, self.now)
        return self.chooser.small

    def until(self, small: bool, estimate_kbps: int) -> float:
        """Seconds until the viewer has that rendition."""
        begun = self.now
        while self.second(estimate_kbps) is not small:
            assert self.now - begun < 1000, "it never came"
        return self.now - begun


def test_a_viewer_whose_network_carries_it_keeps_the_full_rendition() -> None:
    viewer = Viewer()
    assert not any(viewer.second(1400) for _ in range(60))


def test_one_low_estimate_is_no_congestion() -> None:
    viewer = Viewer()
    for _ in range(20):
        assert not viewer.second(1500)
        assert not viewer.second(300)


def test_a_viewer_whose_network_does_not_carry_it_gets_the_small_rendition_within_seconds() -> None:
    assert Viewer().until(True, 300) <= CONGESTED_AFTER_S + 3


def test_the_full_rendition_is_tried_again_and_kept_where_it_gets_through() -> None:
    viewer = Viewer()
    viewer.until(True, 300)
    assert RETRY_FIRST_S - 1 <= viewer.until(False, 260) <= RETRY_FIRST_S + 2
    assert not any(viewer.second(1500) for _ in range(60))


def test_trials_that_fail_are_ever_further_apart() -> None:
    viewer = Viewer()
    viewer.until(True, 300)
    waits = []
    for _ in range(3):
        waits.append(viewer.until(False, 260))
        assert viewer.until(True, 300) < TRIAL_S
    assert waits[1] > 1.8 * waits[0]
    assert waits[2] > 1.8 * waits[1]
