"""The browser's perception beside Python's: python -m benchmarks.browser_perception [--seconds S] [--json]

Needs Chromium and the browser inference files (npm ci). Two things in one Chromium without a GPU:

Parity: the same frames of the demo clips, five a second, through detector, crop, model and reader, in the browser and
in Python. `pixels` compares with Python running the browser's own model, so that all difference is that of pixels and
of arithmetic; `peer` with the INT8 model that Python participants run.

Cost: a clip as a fake camera, read for some seconds: the worker's time for a decision, the time to the first one, the
longest task of ours on the page's thread, and the CPU time of the tab with and without reading. Wall times: run it on
a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from playwright.async_api import Browser, BrowserContext, Page, Route, async_playwright

from peer.join import DEFAULT_MODEL
from peer.perception.classifier import AttentionClassifier
from peer.perception.crop import Box, Pixels, crop_face
from peer.perception.detector import FaceDetector
from peer.perception.face_model import FaceModel
from peer.perception.reader import ReaderKind, make_reader
from peer.perception.signals import Reading, Signals
from peer.perception.verdict import Verdict
from signaling.server import ServeConfig, running
from tests.peer import clips

MODELS = clips.ROOT / "static" / "models"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
BARE_PAGE = "/static/error.html"
"""A page with the server's policies, on which next to nothing runs."""
FRAMES = "/frames/"
"""Where the page finds the frames that it is to look at; no server knows it but the one in here."""

EVERY = 3
"""Frames of a clip: five looks a second."""
GOAL_DECISION_MS, GOAL_FIRST_MS, GOAL_MAIN_MS = 25.0, 3000.0, 10.0
GOAL_SAME_LABELS = 0.97

LOOK = """
async ([folder, times, width, height]) => {
    const { Eye } = await import("/static/perception/eye.js");
    const { SteadyReader } = await import("/static/perception/attention.js");
    const { SIGNAL_NAMES } = await import("/static/perception/signals.js");
    globalThis.eye ??= await Eye.load();
    eye.reset();
    const reader = new SteadyReader(eye.threshold);
    const looks = [];
    for (const [number, timeS] of times.entries()) {
        const answer = await fetch(folder + number);
        const picture = new ImageData(new Uint8ClampedArray(await answer.arrayBuffer()), width, height);
        const { box, reading } = await eye.look(picture);
        const verdict = reader.push(timeS, reading);
        looks.push({
            box: box && [box.left, box.top, box.side],
            reading: reading && [reading.score, ...SIGNAL_NAMES.map((name) => reading.signals[name])],
            verdict: verdict && [verdict.label, verdict.reason],
        });
    }
    return looks;
}
"""

WATCH = """
async () => {
    const video = document.createElement("video");
    video.muted = true;
    document.body.append(video);
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
    await video.play();
    globalThis.video = video;
    globalThis.longTasks = [];
    const observer = new PerformanceObserver((list) => longTasks.push(...list.getEntries().map((one) => one.duration)));
    observer.observe({ type: "longtask" });
}
"""

READ = """
async () => {
    const { Perception } = await import("/static/perception.js");
    globalThis.perception = new Perception({ onVerdict: () => {}, onState: (state, why) => { globalThis.why = why; } });
    perception.start(video);
}
"""


@dataclass(frozen=True, slots=True)
class Look:
    """What one pipeline made of one frame; None for no face, and for nothing said."""

    box: Box | None
    reading: Reading | None
    verdict: tuple[str, str] | None
    """Label and reason."""


@dataclass(frozen=True, slots=True)
class Parity:
    """How far two pipelines agree on the same frames."""

    looks: int
    same_face: float
    """Share of looks in which both or neither found a face."""
    box_error: float
    """Mean distance of the boxes' centres over their side."""
    score_error: float
    """Mean absolute difference."""
    score_correlation: float
    yaw_error_deg: float
    """Mean absolute difference."""
    same_decision: float
    """Share of faces of which both scores are on the same side of one half."""
    same_label: float
    """Share of what is said."""
    same_reason: float


def frames(clip: str) -> list[tuple[float, Pixels]]:
    """What both look at: (seconds, (H, W, 3) uint8 BGR)."""
    fps = clips.truth(clip).fps
    return [(index / fps, bgr) for index, bgr in clips.frames(clip, EVERY)]


def python_looks(clip: str, model: Path) -> list[Look]:
    """As a Python participant with this model sees the clip."""
    classifier = AttentionClassifier(model)
    detector = FaceDetector(FaceModel(MODELS / "face.onnx"))
    reader = make_reader(ReaderKind.STEADY, classifier.card.threshold)
    looks = []
    for time_s, bgr in frames(clip):
        box = detector.detect(bgr)
        crop = None if box is None else crop_face(bgr, box, classifier.card.crop_scale)
        reading = None if crop is None else classifier.look(crop)
        looks.append(Look(box, reading, _said(reader.push(time_s, reading))))
    return looks


def _said(verdict: Verdict | None) -> tuple[str, str] | None:
    return None if verdict is None else (str(verdict.label), str(verdict.reason))


async def browser_looks(page: Page, clip: str) -> list[Look]:
    """As the page, which `serve_frames` has prepared, sees the clip."""
    pictures = frames(clip)
    height, width = pictures[0][1].shape[:2]
    found = await page.evaluate(LOOK, [f"{FRAMES}{clip}/", [time_s for time_s, _ in pictures], width, height])
    return [
        Look(
            one["box"] and Box(*one["box"]),
            one["reading"] and Reading(one["reading"][0], Signals(*one["reading"][1:])),
            one["verdict"] and tuple(one["verdict"]),
        )
        for one in found
    ]


async def serve_frames(context: BrowserContext) -> None:
    """Let pages of `context` fetch `FRAMES` CLIP `/` NUMBER: the picture as RGBA."""
    kept: dict[str, list[tuple[float, Pixels]]] = {}

    async def answer(route: Route) -> None:
        clip, number = route.request.url.split(FRAMES)[1].split("/")
        if clip not in kept:
            kept.clear()
            kept[clip] = frames(clip)
        rgba = cv2.cvtColor(kept[clip][int(number)][1], cv2.COLOR_BGR2RGBA)
        await route.fulfill(body=rgba.tobytes(), content_type="application/octet-stream")

    await context.route(f"**{FRAMES}**", answer)


def compare(ours: list[Look], theirs: list[Look]) -> Parity:
    """Two pipelines' looks at the same frames."""
    pairs = list(zip(ours, theirs, strict=True))
    boxes = [(a.box, b.box) for a, b in pairs if a.box and b.box]
    both = [(a.reading, b.reading) for a, b in pairs if a.reading and b.reading]
    scores = np.array([(a.score, b.score) for a, b in both])
    yaws = np.array([(a.signals.yaw, b.signals.yaw) for a, b in both if a.signals and b.signals])
    said = [(a.verdict, b.verdict) for a, b in pairs if a.verdict or b.verdict]
    return Parity(
        looks=len(pairs),
        same_face=float(np.mean([(a.box is None) == (b.box is None) for a, b in pairs])),
        box_error=float(np.mean([_apart(a, b) for a, b in boxes])),
        score_error=float(np.abs(scores[:, 0] - scores[:, 1]).mean()),
        score_correlation=float(np.corrcoef(scores.T)[0, 1]),
        yaw_error_deg=float(np.abs(yaws[:, 0] - yaws[:, 1]).mean()),
        same_decision=float(np.mean((scores[:, 0] >= 0.5) == (scores[:, 1] >= 0.5))),
        same_label=float(np.mean([a is not None and b is not None and a[0] == b[0] for a, b in said])),
        same_reason=float(np.mean([a == b for a, b in said])),
    )


def _apart(one: Box, other: Box) -> float:
    across = one.left + one.side / 2 - other.left - other.side / 2
    along = one.top + one.side / 2 - other.top - other.side / 2
    return float(np.hypot(across, along)) / one.side


def write_camera(clip: str, path: Path) -> None:
    """The clip as Chromium's fake camera wants it, YUV4MPEG2."""
    with av.open(str(clips.CLIPS / f"{clip}.mp4")) as container, path.open("wb") as file:
        stream = container.streams.video[0]
        rate = Fraction(stream.average_rate or 15)
        for index, frame in enumerate(container.decode(stream)):
            if index == 0:
                size = f"W{frame.width} H{frame.height} F{rate.numerator}:{rate.denominator}"
                file.write(f"YUV4MPEG2 {size} Ip C420jpeg\n".encode())
            file.write(b"FRAME\n" + frame.reformat(format="yuv420p").to_ndarray().tobytes())


@asynccontextmanager
async def chromium(camera: Path) -> AsyncIterator[Browser]:
    """A browser whose camera shows `camera`."""
    arguments = [
        *ARGUMENTS,
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={camera}",
    ]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        await browser.close()


async def cpu_s(browser: Browser) -> float:
    """CPU seconds that tabs have used so far."""
    session = await browser.new_browser_cdp_session()
    found = await session.send("SystemInfo.getProcessInfo")
    await session.detach()
    return sum(float(one["cpuTime"]) for one in found["processInfo"] if one["type"] == "renderer")


async def measure_cost(browser: Browser, page: Page, seconds: float) -> dict[str, Any]:
    """A camera watched, and then read."""
    await page.evaluate(WATCH)
    before_s = await cpu_s(browser)
    await asyncio.sleep(seconds)
    watched_s = await cpu_s(browser) - before_s
    await page.evaluate(READ)
    await page.wait_for_function("() => perception.stats.decisions > 0 || globalThis.why", timeout=60_000)
    before_s = await cpu_s(browser)
    counted = await page.evaluate("perception.stats.decisions")
    await asyncio.sleep(seconds)
    read_s = await cpu_s(browser) - before_s
    stats: dict[str, Any] = await page.evaluate("perception.stats")
    decisions = stats["decisions"] - counted
    return stats | {
        "longTasks": await page.evaluate("longTasks.length"),
        "decisionsPerS": decisions / seconds,
        "cpuWatching": watched_s / seconds,
        "cpuReading": read_s / seconds,
        "cpuMsPerDecision": (read_s - watched_s) * 1e3 / decisions,
    }


async def run(seconds: float) -> dict[str, Any]:
    """Everything: costs in ms and CPUs, parity by clip."""
    with tempfile.TemporaryDirectory() as folder:
        camera = Path(folder) / "camera.y4m"
        write_camera("ana", camera)
        config = ServeConfig(secret="a secret of this benchmark, long enough", port=0)
        async with running(config) as server, chromium(camera) as browser:
            context = await browser.new_context()
            await serve_frames(context)
            page = await context.new_page()
            await page.goto(f"http://127.0.0.1:{server.port}{BARE_PAGE}")
            parity: dict[str, dict[str, Parity]] = {}
            for clip in clips.NAMES:
                seen = await browser_looks(page, clip)
                parity[clip] = {
                    "pixels": compare(seen, python_looks(clip, MODELS / "attention.onnx")),
                    "peer": compare(seen, python_looks(clip, DEFAULT_MODEL)),
                }
            await page.reload()
            cost = await measure_cost(browser, page, seconds)
    return {
        "cost": cost,
        "parity": {clip: {kind: asdict(one) for kind, one in by.items()} for clip, by in parity.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="to watch, and to read")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    result = asyncio.run(run(arguments.seconds))
    if arguments.json:
        print(json.dumps(result))
        return
    cost = result["cost"]
    print(f"decision {cost['medianMs']:.1f} ms (goal {GOAL_DECISION_MS}), {cost['decisionsPerS']:.1f} a second")
    print(f"first decision after {cost['firstDecisionMs']:.0f} ms (goal {GOAL_FIRST_MS:.0f})")
    print(f"longest task of ours on the page's thread {cost['mainMs']:.1f} ms (goal {GOAL_MAIN_MS})")
    print(f"tasks of anybody's there over 50 ms: {cost['longTasks']}")
    print(f"CPUs of the tab: {cost['cpuWatching']:.2f} watching, {cost['cpuReading']:.2f} reading")
    print(f"CPU time of a decision {cost['cpuMsPerDecision']:.1f} ms")
    columns = [field.name for field in fields(Parity) if field.name != "looks"]
    print(f"\n{'clip':6}{'against':9}" + "".join(f"{name.replace('score_', ''):>15}" for name in columns))
    for clip, by in result["parity"].items():
        for kind, one in by.items():
            print(f"{clip:6}{kind:9}" + "".join(f"{one[name]:15.4f}" for name in columns))
    print(f"goal: same_label against peer >= {GOAL_SAME_LABELS}")


if __name__ == "__main__":
    main()
