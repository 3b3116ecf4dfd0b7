"""What `edgeattend doctor` finds out about codecs and fonts."""

from __future__ import annotations

import pytest

from host import doctor
from signaling.check import Check, Verdict


def find(name: str) -> Check:
    return next(check for check in doctor.checks() if check.name == name)


def test_the_codecs_of_this_machine_work() -> None:
    assert find("VP8").verdict is Verdict.OK
    assert find("H.264").verdict is Verdict.OK


def test_a_machine_without_an_encoder_fails_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("no libvpx")

    monkeypatch.setattr(doctor, "Vp8Encoder", fail)
    check = find("VP8")
    assert check.verdict is Verdict.FAILED
    assert "no libvpx" in check.found
    assert "PyAV" in check.advice


def test_a_machine_without_h264_is_warned_of_what_it_cannot_take(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = doctor.VideoDecoder

    def only_vp8(codec: str) -> object:
        if codec == "H264":
            raise ValueError("no h264")
        return decoder(codec)

    monkeypatch.setattr(doctor, "VideoDecoder", only_vp8)
    assert find("H.264").verdict is Verdict.WARNING
    assert find("VP8").verdict is Verdict.OK


def test_scripts_that_would_show_as_boxes_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "font_for", lambda char, bold: None if char in "王ไ" else "font")
    check = find("fonts")
    assert check.verdict is Verdict.WARNING
    assert "Chinese, Thai" in check.found
    assert "fonts-noto" in check.advice
