"""One participant, put together: source, perception, meeting and report, started and ended in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from peer.client import ClientConfig, MeetingClient
from peer.events import Reporter
from peer.grid import GridMeter
from peer.griddecoder import GridDecoder
from peer.link import Link
from peer.mood import MoodBoard
from peer.perception.calibration import Offset, Progress, Stage
from peer.perception.classifier import AttentionClassifier
from peer.perception.detector import FaceDetector
from peer.perception.verdict import Verdict
from peer.perception.worker import Decision, PerceptionConfig, PerceptionWorker
from peer.source import Pixels, Source, SourceState
from signaling.errors import EdgeAttendError
from signaling.rtc import EncodedFrame

REPORT_EVERY_S = 1.0


class Participant:
    """Lives on the event loop; what `peer.window.Scene` names may be called from any thread."""

    def __init__(
        self,
        link: Link,
        name: str,
        source: Source,
        reporter: Reporter,
        *,
        labels: bool,
        classifier: AttentionClassifier | None = None,
        detector: FaceDetector | None = None,
        perception: PerceptionConfig | None = None,
        keep_offset: Callable[[Offset], None] = lambda _: None,
        decode_grid: bool = False,
        config: ClientConfig | None = None,
    ) -> None:
        """`labels` False: nobody looks at the pictures, and no label is sent. `classifier` or `detector` None: it is
        `unknown`.

        `keep_offset` takes the result of a calibration, in perception's thread, and may raise `EdgeAttendError`.
        """
        self._source, self._reporter = source, reporter
        self._classifier, self._detector = classifier, detector
        self._perception, self._keep_offset = perception, keep_offset
        self._worker: PerceptionWorker | None = None
        self._calibration: Progress | None = None
        self._loop = asyncio.get_running_loop()
        self._moods = MoodBoard() if labels else None
        self._meter = GridMeter()
        self._status = "connecting"
        self._decoder = GridDecoder(self._need_key_frame) if decode_grid else None
        self._client = MeetingClient(
            link,
            name,
            source=source,
            moods=self._moods,
            listener=self,
            on_grid_frame=self._on_grid_frame,
            config=config,
        )

    @property
    def ever_connected(self) -> bool:
        """Whether the meeting was reached at all."""
        return self._client.ever_connected

    async def run(self) -> None:
        """Take part until cancelled, or until there is no way back. Raises `SourceUnavailable` at the start."""
        async with (
            self._running_source(),
            self._running_perception(),
            self._running_decoder(),
            asyncio.TaskGroup() as tasks,
        ):
            reports = [tasks.create_task(self._report_grid())]
            if self._moods is not None:
                reports.append(tasks.create_task(self._report_labels(self._moods)))
            await self._client.run()
            for report in reports:
                report.cancel()

    @asynccontextmanager
    async def _running_source(self) -> AsyncIterator[None]:
        def tell(state: SourceState, reason: str) -> None:
            self._loop.call_soon_threadsafe(self._reporter.source, state, reason)

        try:
            await asyncio.to_thread(self._source.start, tell)
            yield
        finally:
            await asyncio.to_thread(self._source.close)

    @asynccontextmanager
    async def _running_perception(self) -> AsyncIterator[None]:
        moods = self._moods
        if moods is None:
            yield
            return

        def publish(decision: Decision) -> None:
            self._loop.call_soon_threadsafe(moods.put, decision)

        self._worker = PerceptionWorker(
            self._source,
            self._classifier,
            self._detector,
            publish,
            config=self._perception,
            on_calibration=self._on_calibration,
        )
        self._worker.start()
        try:
            yield
        finally:
            await asyncio.to_thread(self._worker.close)

    @asynccontextmanager
    async def _running_decoder(self) -> AsyncIterator[None]:
        if self._decoder is None:
            yield
            return
        self._decoder.start()
        try:
            yield
        finally:
            await asyncio.to_thread(self._decoder.close)

    def _on_calibration(self, progress: Progress) -> None:
        """In perception's thread."""
        self._calibration = progress
        self._loop.call_soon_threadsafe(self._reporter.calibration, progress)
        if progress.offset is None:
            return
        try:
            self._keep_offset(progress.offset)
        except EdgeAttendError as error:
            message = f"{error.message}: the calibration holds for this meeting only"
            self._loop.call_soon_threadsafe(self._reporter.error, error.code, message)

    async def _report_labels(self, moods: MoodBoard) -> None:
        seen = moods.changes
        while True:
            if moods.decision is not None:
                self._reporter.label(moods.decision.verdict)
            seen = await moods.wait_change(seen, REPORT_EVERY_S)

    async def _report_grid(self) -> None:
        while True:
            await asyncio.sleep(REPORT_EVERY_S)
            grid = self._meter.state()
            if grid is not None:
                self._reporter.grid(grid)

    def _on_grid_frame(self, frame: EncodedFrame) -> None:
        self._meter.add(frame)
        if self._decoder is not None:
            self._decoder.add(frame)

    def _need_key_frame(self) -> None:
        self._loop.call_soon_threadsafe(self._client.need_key_frame)

    def connected(self, participant: str) -> None:
        """See `ClientListener`."""
        self._status = "waiting for the grid"
        self._reporter.connected(participant)

    def disconnected(self, reason: str) -> None:
        """See `ClientListener`."""
        self._status = "reconnecting"
        self._meter = GridMeter()
        if self._decoder is not None:
            self._decoder.forget()
        self._reporter.disconnected(reason)

    def error(self, code: str, message: str) -> None:
        """See `ClientListener`."""
        self._reporter.error(code, message)

    def own_picture(self) -> Pixels | None:
        """See `peer.window.Scene`."""
        frame = self._source.latest()
        return None if frame is None else frame.bgr

    def verdict(self) -> Verdict | None:
        """See `peer.window.Scene`."""
        decision = self._moods.decision if self._moods is not None else None
        return None if decision is None else decision.verdict

    def grid_picture(self) -> Pixels | None:
        """See `peer.window.Scene`."""
        return None if self._decoder is None else self._decoder.picture()

    def status(self) -> str:
        """See `peer.window.Scene`."""
        return self._status

    def calibration_left_s(self) -> int | None:
        """See `peer.window.Scene`."""
        progress = self._calibration
        return progress.left_s if progress is not None and progress.stage is Stage.RUNNING else None

    def skip_calibration(self) -> None:
        """See `peer.window.Scene`."""
        if self._worker is not None:
            self._worker.skip_calibration()
