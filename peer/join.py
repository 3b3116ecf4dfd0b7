"""The command `edgeattend join`: from its command line to an exit code."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import cv2

from peer.calibrations import Calibrations, CalibrationUnusable, Entry
from peer.client import ClientConfig
from peer.events import JsonReporter, Reporter
from peer.leave import Leave
from peer.link import parse_link
from peer.participant import Participant
from peer.perception.calibration import CalibrationRefused, Offset
from peer.perception.classifier import AttentionClassifier
from peer.perception.detector import FaceDetector
from peer.perception.face_model import FaceModel
from peer.perception.reader import ReaderKind
from peer.perception.worker import PerceptionConfig
from peer.sources import make_source
from peer.terminal import TerminalReporter
from peer.window import DisplayUnavailable, Scene, check_display, show
from signaling.errors import ConfigInvalid, ModelUnavailable, NameInvalid, SourceUnavailable
from signaling.output import Output
from signaling.protocol import clean_name

logger = logging.getLogger(__name__)

DEFAULT_MODEL = Path(__file__).parent / "models" / "attention.onnx"

Loaded = TypeVar("Loaded", AttentionClassifier, FaceDetector)

EXIT_FINE, EXIT_FAILED, EXIT_USAGE = 0, 1, 2


@dataclass(frozen=True)
class JoinConfig:
    """The command line of `edgeattend join`; `seconds` counts from the start of the command.

    `calibrations`: the folder that keeps them; None keeps none.
    """

    url: str
    name: str
    source: str = "camera:0"
    labels: bool = True
    window: bool = False
    seconds: float | None = None
    json: bool = False
    model: Path = DEFAULT_MODEL
    reader: ReaderKind = ReaderKind.STEADY
    calibrate: bool = False
    forget_calibration: bool = False
    calibrations: Path | None = None
    client: ClientConfig = field(default_factory=ClientConfig)


def run(config: JoinConfig) -> int:
    """Join, block until it is over, and return the exit code; to be called in the main thread."""
    if not config.window:
        return asyncio.run(join(config))
    try:
        check_display()
    except DisplayUnavailable as error:
        logger.debug("no display: %s", error.detail)
        reporter = _reporter(config, lambda: None)
        reporter.error(error.code, error.message)
        reporter.close()
        return EXIT_FAILED
    return _run_in_window(config)


def _run_in_window(config: JoinConfig) -> int:
    """The meeting in a thread of its own, and the window in this one."""
    leave = Leave()
    scenes: list[Scene] = []
    codes: list[int] = []
    ready, done = threading.Event(), threading.Event()

    def on_scene(scene: Scene) -> None:
        scenes.append(scene)
        ready.set()

    def attend() -> None:
        try:
            codes.append(asyncio.run(join(config, leave=leave, on_scene=on_scene)))
        finally:
            done.set()
            ready.set()

    meeting = threading.Thread(target=attend, name="edgeattend-meeting")
    with _signals_ask(leave):
        meeting.start()
        ready.wait()
        if scenes:
            show(scenes[0], done, leave.ask)
        meeting.join()
    return codes[0] if codes else EXIT_FAILED


async def join(
    config: JoinConfig, *, leave: Leave | None = None, on_scene: Callable[[Scene], None] | None = None
) -> int:
    """Take part until `leave`, SIGINT, SIGTERM or the time is over; returns the exit code.

    `on_scene` hears of what a window can show, and means that the grid is decoded.
    """
    # OpenCV's own threads spin while they wait, and its log repeats what comes back as a result anyway.
    cv2.setNumThreads(1)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    leave = leave or Leave()
    reporter = _reporter(config, leave.ask)
    try:
        _check(config)
        link, name, source = parse_link(config.url), clean_name(config.name), make_source(config.source)
        classifier, detector = await _models(config, reporter)
        calibrated = _Calibrated(config, name, classifier)
        with _loop_signals_ask(leave):
            participant = Participant(
                link,
                name,
                source,
                reporter,
                labels=config.labels,
                classifier=classifier,
                detector=detector,
                perception=await asyncio.to_thread(calibrated.perception, reporter),
                keep_offset=calibrated.keep,
                decode_grid=on_scene is not None,
                config=config.client,
            )
            if on_scene is not None:
                on_scene(participant)
            with _enter_skips(participant) if config.calibrate else contextlib.nullcontext():
                return await _attend(config, participant, leave)
    except (ConfigInvalid, NameInvalid) as error:
        reporter.error(error.code, error.message)
        return EXIT_USAGE
    except SourceUnavailable as error:
        reporter.error(error.code, error.message)
        return EXIT_FAILED
    finally:
        reporter.close()


def _check(config: JoinConfig) -> None:
    """Raises `ConfigInvalid` for options that contradict each other."""
    if config.calibrate and not config.labels:
        raise ConfigInvalid("expected --calibrate with labels, got --no-labels")


async def _attend(config: JoinConfig, participant: Participant, leave: Leave) -> int:
    """Run `participant` until it ends by itself, `leave` is asked for, or the time is over."""
    attending = asyncio.create_task(participant.run(), name="participant")
    leaving = asyncio.create_task(leave.wait(), name="leave")
    try:
        await asyncio.wait((attending, leaving), timeout=config.seconds, return_when=asyncio.FIRST_COMPLETED)
        if attending.done():
            attending.result()  # raises what went wrong at the start
            return EXIT_FAILED  # the host does not want us, and has said so
        return EXIT_FINE if leaving.done() or participant.ever_connected else EXIT_FAILED
    finally:
        for task in (attending, leaving):
            task.cancel()
        await asyncio.gather(attending, leaving, return_exceptions=True)


async def _models(config: JoinConfig, reporter: Reporter) -> tuple[AttentionClassifier | None, FaceDetector | None]:
    """Both, or None with a word to the user for one that is missing: a meeting without labels is still a meeting."""
    if not config.labels:
        return None, None
    classifier = await _loaded(lambda: AttentionClassifier(config.model), reporter)
    detector = await _loaded(lambda: FaceDetector(FaceModel()), reporter)
    return classifier, detector


async def _loaded(load: Callable[[], Loaded], reporter: Reporter) -> Loaded | None:
    try:
        return await asyncio.to_thread(load)
    except ModelUnavailable as error:
        reporter.error(error.code, error.message)
        return None


class _Calibrated:
    """What is kept of this person, before this source, with this model."""

    def __init__(self, config: JoinConfig, name: str, classifier: AttentionClassifier | None) -> None:
        self._config, self._name, self._classifier = config, name, classifier
        self._kept = None if config.calibrations is None else Calibrations(config.calibrations)

    def perception(self, reporter: Reporter) -> PerceptionConfig:
        """How to read the person, with a word to the user where that isn't what they asked for."""
        try:
            if self._kept is not None and self._config.forget_calibration:
                self._kept.forget(self._name)
            offset = self._offset()
        except CalibrationUnusable as error:
            reporter.error(error.code, error.message)
            offset = None
        calibrate = self._config.calibrate
        if calibrate and self._classifier is not None and not self._classifier.has_signals:
            reporter.error(
                CalibrationRefused.code,
                f"expected a model with signals for --calibrate, {self._config.model.name} has none: not calibrated",
            )
            calibrate = False
        return PerceptionConfig(self._config.reader, offset, calibrate)

    def keep(self, offset: Offset) -> None:
        """Raises `CalibrationUnusable` where it cannot be kept."""
        if self._kept is not None and self._classifier is not None:
            self._kept.save(Entry(self._name, self._config.source, self._classifier.card.sha256, offset))

    def _offset(self) -> Offset | None:
        """None where there is none, or nothing to hold it against; raises `CalibrationUnusable`."""
        if self._kept is None or self._classifier is None or not self._classifier.has_signals:
            return None
        return self._kept.load(self._name, self._config.source, self._classifier.card.sha256)


def _reporter(config: JoinConfig, on_broken: Callable[[], None]) -> Reporter:
    output = Output(sys.stdout, on_broken)
    return JsonReporter(output) if config.json else TerminalReporter(output, labels=config.labels)


@contextmanager
def _enter_skips(participant: Participant) -> Iterator[None]:
    """The first Enter ends a calibration, where there is a keyboard and the loop can wait for it."""
    loop = asyncio.get_running_loop()
    waiting = False

    def stop() -> None:
        nonlocal waiting
        if waiting:
            loop.remove_reader(sys.stdin)
            waiting = False

    def on_line() -> None:
        stop()
        if not _in_background():
            sys.stdin.readline()
            participant.skip_calibration()

    with contextlib.suppress(NotImplementedError, ValueError, OSError):
        if sys.stdin is not None and sys.stdin.isatty():
            loop.add_reader(sys.stdin, on_line)
            waiting = True
    try:
        yield
    finally:
        stop()


def _in_background() -> bool:
    """Whether the keyboard belongs to another command: to read from it would stop this process."""
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) != os.getpgrp()
    except (AttributeError, OSError):  # not this process's terminal, or not Unix
        return False


@contextmanager
def _loop_signals_ask(leave: Leave) -> Iterator[None]:
    """SIGINT and SIGTERM ask to leave, where the loop runs in the main thread and the system has signals."""
    loop = asyncio.get_running_loop()
    taken: list[signal.Signals] = []
    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, leave.ask)
            taken.append(number)
    try:
        yield
    finally:
        for number in taken:
            loop.remove_signal_handler(number)


@contextmanager
def _signals_ask(leave: Leave) -> Iterator[None]:
    """The same for a main thread that is busy with a window."""
    before = {number: signal.signal(number, lambda *_: leave.ask()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
