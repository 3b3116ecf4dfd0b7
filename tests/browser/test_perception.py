"""Perception in the browser: the real models in a real worker, held against Python on the same frames."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route

from benchmarks.browser_perception import (
    BARE_PAGE,
    MODELS,
    browser_looks,
    chromium,
    compare,
    python_looks,
    serve_frames,
    write_camera,
)
from peer.join import DEFAULT_MODEL
from peer.perception import detector
from peer.perception.crop import Box, crop_face
from peer.perception.signals import SIGNAL_NAMES
from signaling import ort
from tests.browser.conftest import OpenPage
from tests.browser.meeting import Meeting, eventually
from tests.peer import onnx_bytes

pytestmark = pytest.mark.skipif(bool(ort.missing()), reason=f"needs the browser inference files: {ort.INSTALL}")

FAILED_REQUEST = "Failed to load resource"
PATIENCE_MS = 60_000
"""The clip turns away once in 11 s, and the machine may be busy."""

OpenCamera = Callable[..., Awaitable[Page]]

CAMERA = """
async () => {
    globalThis.video = document.createElement("video");
    video.muted = true;
    document.body.append(video);
    globalThis.camera = () => navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
    video.srcObject = await camera();
    await video.play();
}
"""

START = """
async () => {
    globalThis.video ??= document.createElement("video");
    globalThis.said = [];
    globalThis.states = [];
    const { Perception } = await import("/static/perception.js");
    globalThis.perception = new Perception({
        onVerdict: (verdict, box) => said.push({ verdict, box }),
        onState: (state, why) => states.push([state, why]),
    });
    perception.start(video);
}
"""

FRAMES_SHOWN = """
(count) => new Promise((resolve) => {
    const next = () => (count-- > 0 ? video.requestVideoFrameCallback(next) : resolve());
    next();
})
"""

CUT = """
async ([rgba, width, height, boxes]) => {
    const { cropFace } = await import("/static/perception/crop.js");
    const { surroundings, whole } = await import("/static/perception/view.js");
    const picture = { data: Uint8ClampedArray.from(atob(rgba), (byte) => byte.charCodeAt(0)), width, height };
    const text = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
    const plain = ({ rgb, left, top, scale }) => ({ rgb: text(rgb), left, top, scale });
    return {
        whole: plain(whole(picture)),
        crops: boxes.map((box) => text(cropFace(picture, box, 1.25))),
        views: boxes.map((box) => { const view = surroundings(picture, box); return view && plain(view); }),
    };
}
"""

CHOOSE = """
async (cases) => {
    const { choose } = await import("/static/perception/detector.js");
    return cases.map(({ faces, threshold, last }) => choose(Float32Array.from(faces.flat()), threshold, last));
}
"""

WORKER = """
async () => {
    globalThis.heard = [];
    const canvas = new OffscreenCanvas(64, 48);
    canvas.getContext("2d").fillRect(0, 0, 64, 48);
    const images = [{}, {}, new VideoFrame(canvas, { timestamp: 0 })];
    const worker = new Worker("/static/perception/worker.js", { type: "module" });
    worker.addEventListener("message", ({ data }) => {
        heard.push(data);
        const image = data.t === "want" ? images.shift() : undefined;
        if (image) worker.postMessage({ image, timeS: 0 }, image instanceof VideoFrame ? [image] : []);
    });
}
"""


async def bare(meeting: Meeting, open_page: OpenPage, *, allow: str | None = None) -> Page:
    """A page of the server, with its policies, that does nothing."""
    return await open_page(meeting.links.viewer_url.split("/r/")[0] + BARE_PAGE, allow=allow)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def camera_browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    camera = tmp_path_factory.mktemp("camera") / "ana.y4m"
    write_camera("ana", camera)
    async with chromium(camera) as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def open_camera(camera_browser: Browser, meeting: Meeting) -> AsyncIterator[OpenCamera]:
    """Opens a bare page with Ana before its camera; `prepare` is JavaScript that runs before anything else."""
    context = await camera_browser.new_context()
    complaints: list[str] = []

    async def open_it(prepare: str = "") -> Page:
        page = await context.new_page()
        page.on("console", lambda one: complaints.append(one.text) if one.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.add_init_script(prepare)
        await page.goto(meeting.links.viewer_url.split("/r/")[0] + BARE_PAGE)
        await page.evaluate(CAMERA)
        return page

    yield open_it
    await context.close()
    assert complaints == []


async def wait_for_reason(page: Page, reason: str, *, since: int = 0) -> None:
    await page.wait_for_function(
        "([reason, since]) => said.slice(since).some(({ verdict }) => verdict.reason === reason)",
        arg=[reason, since],
        timeout=PATIENCE_MS,
    )


async def wait_for_no_worker(page: Page) -> None:
    async def ended() -> bool:
        return page.workers == []

    await eventually(ended, "the worker's end")


async def test_the_browser_sees_what_python_sees(meeting: Meeting, open_page: OpenPage) -> None:
    clip = "omar"  # who leaves and comes back
    page = await bare(meeting, open_page)
    await serve_frames(page.context)
    seen = await browser_looks(page, clip)
    alike = compare(seen, python_looks(clip, MODELS / "attention.onnx"))
    assert alike.looks > 50
    assert alike.same_face >= 0.97
    assert alike.box_error < 0.01
    assert alike.score_error < 0.01
    assert alike.same_label >= 0.97
    peer = compare(seen, python_looks(clip, DEFAULT_MODEL))
    assert peer.score_correlation > 0.98
    assert peer.same_label >= 0.95


async def test_crops_and_views_are_pythons_to_the_pixel(meeting: Meeting, open_page: OpenPage) -> None:
    bgr = np.random.default_rng(1).integers(0, 256, (300, 500, 3), np.uint8)
    boxes = [
        Box(150.2, 60.7, 180.4), Box(200, 100, 128), Box(10.5, 20.5, 33.3), Box(-40, -30, 150), Box(420, 220, 160),
        Box(100, 50, 20), Box(-30, -60, 400), Box(460.3, 270.1, 41.7), Box(240, 3, 74),
    ]  # fmt: skip
    rgba = np.dstack([bgr[..., ::-1], np.full(bgr.shape[:2], 255, np.uint8)])
    page = await bare(meeting, open_page)
    found = await page.evaluate(
        CUT, [base64.b64encode(rgba.tobytes()).decode(), 500, 300, [asdict(box) for box in boxes]]
    )
    for box, pixels in zip(boxes, found["crops"], strict=True):
        assert _farthest(pixels, crop_face(bgr, box, 1.25)) <= 1, box
    views = [detector.whole(bgr), *(detector.surroundings(bgr, box) for box in boxes)]
    assert sum(view is not None for view in views) > 3
    for view, cut in zip(views, [found["whole"], *found["views"]], strict=True):
        if view is None:
            assert cut is None
            continue
        assert _farthest(cut["rgb"], view.rgb) <= 1
        assert (cut["left"], cut["top"], cut["scale"]) == pytest.approx((view.left, view.top, view.scale))


async def test_of_several_faces_the_browser_follows_the_one_that_python_follows(
    meeting: Meeting, open_page: OpenPage
) -> None:
    chance = np.random.default_rng(2)
    page = await bare(meeting, open_page)
    cases: list[dict[str, Any]] = []
    expected: list[Box | None] = []
    for number in range(60):
        people = chance.uniform((20, 20, 15), (140, 100, 60), (3, 3))
        rows = np.repeat(people, 8, axis=0) * chance.normal(1.0, 0.04, (24, 3))
        faces = np.column_stack([chance.uniform(0, 1, 24), rows]).astype(np.float32)
        x, y, side = people[number % 3]
        last = Box(x - side / 2, y - side / 2, side) if number % 4 else None
        threshold = chance.uniform(0.3, 1.01)
        expected.append(detector.choose(faces, threshold, last))
        cases.append({"faces": faces.tolist(), "threshold": threshold, "last": last and asdict(last)})
    assert None in expected
    for case, found, wanted in zip(cases, await page.evaluate(CHOOSE, cases), expected, strict=True):
        assert found == (wanted and pytest.approx(asdict(wanted))), case


def _farthest(pixels: str, expected: Any) -> int:
    found = np.frombuffer(base64.b64decode(pixels), np.uint8).astype(int)
    return int(np.abs(found - expected.ravel()).max())


async def test_somebody_before_the_camera_is_read_until_the_page_stops_it(open_camera: OpenCamera) -> None:
    page = await open_camera()
    await page.evaluate(START)
    await wait_for_reason(page, "face")
    await wait_for_reason(page, "turned")
    states, stats, said = await page.evaluate("[states, perception.stats, said]")
    assert states == [["loading", ""], ["ready", ""]]
    assert stats["decisions"] >= len(said) >= 2
    assert 0 < stats["medianMs"] < stats["firstDecisionMs"]
    assert stats["mainMs"] > 0
    for one in said:
        assert one["verdict"]["label"] in ("attentive", "not_attentive")
        assert one["verdict"]["detail"] == "" or one["verdict"]["detail"].startswith("head turned ")
        box = one["box"]
        assert box is None or (0 < box["left"] < 640 - box["side"] and 0 < box["top"] < 480 - box["side"])
    assert sum(one["box"] is not None for one in said) > len(said) / 2
    count = await page.evaluate("perception.stop(), said.length")
    await wait_for_no_worker(page)
    await page.evaluate(FRAMES_SHOWN, 20)
    assert await page.evaluate("said.length") == count
    assert await page.evaluate("states.length") == 2
    await page.evaluate("perception.start(video)")
    await page.wait_for_function("(count) => said.length > count", arg=count, timeout=PATIENCE_MS)
    assert await page.evaluate("perception.stats.decisions") < count


async def test_a_camera_that_ends_is_no_picture_and_another_one_is_read(open_camera: OpenCamera) -> None:
    page = await open_camera()
    await page.evaluate(START)
    await page.wait_for_function("() => said.length > 0", timeout=PATIENCE_MS)
    await page.evaluate("video.srcObject.getTracks().forEach((track) => track.stop())")
    await wait_for_reason(page, "paused")
    last = await page.evaluate("said.at(-1)")
    assert last == {"verdict": {"label": "unknown", "score": 0, "reason": "paused", "detail": ""}, "box": None}
    count = await page.evaluate(
        "async () => { video.srcObject = await camera(); await video.play(); return said.length; }"
    )
    await wait_for_reason(page, "face", since=count)


@pytest.mark.parametrize(
    "prepare",
    [
        "delete globalThis.VideoFrame",
        "delete HTMLVideoElement.prototype.requestVideoFrameCallback",
        "HTMLVideoElement.prototype.requestVideoFrameCallback = () => 0",
    ],
    ids=["no VideoFrame", "no frame callback", "a frame callback that never comes, as in a tab that nobody sees"],
)
async def test_older_browsers_and_hidden_tabs_are_read_too(prepare: str, open_camera: OpenCamera) -> None:
    page = await open_camera(prepare)
    await page.evaluate(START)
    await wait_for_reason(page, "face")


async def test_what_cannot_be_looked_at_is_said_once_and_the_next_frame_is_looked_at(
    meeting: Meeting, open_page: OpenPage
) -> None:
    page = await bare(meeting, open_page)
    await page.evaluate(WORKER)
    await page.wait_for_function("() => heard.some(({ t }) => t === 'decision')", timeout=PATIENCE_MS)
    heard = await page.evaluate("heard.filter(({ t }) => t !== 'want')")
    assert [one["t"] for one in heard] == ["ready", "trouble", "trouble", "decision"]
    assert heard[1]["verdict"]["reason"] == "no_model"
    assert heard[1]["why"] != ""
    assert heard[2]["why"] == ""
    assert heard[3]["box"] is None


WILD_LATER = """
async () => {
    const { AttentionClassifier } = await import("/static/perception/classifier.js");
    const run = async () => ({ attentive: { data: new Float32Array([NaN]) } });
    const session = { inputNames: ["face"], outputNames: ["attentive"], run };
    const card = { cropScale: 1.25, threshold: 0.5, columns: [] };
    const classifier = new AttentionClassifier({ Tensor: class {} }, session, card);
    return classifier.look(new Uint8ClampedArray(160 * 160 * 3)).then(JSON.stringify, String);
}
"""


async def test_what_is_no_probability_later_on_is_no_reading(meeting: Meeting, open_page: OpenPage) -> None:
    page = await bare(meeting, open_page)
    assert "RangeError: expected a probability" in await page.evaluate(WILD_LATER)


def card(data: bytes, **more: object) -> bytes:
    """A card that fits `data`, with `more` on top."""
    fields = {"crop_scale": 1.25, "threshold": 0.5, "sha256": hashlib.sha256(data).hexdigest()} | more
    return json.dumps(fields).encode()


REAL = (MODELS / "attention.onnx").read_bytes()
NARROW = onnx_bytes.model(shape=("N", 128, 128, 3))
FLAT = onnx_bytes.model(keep_dims=True)
PLAIN = onnx_bytes.model()
WILD = onnx_bytes.model(last_op="Log")
WILD_SIGNALS = onnx_bytes.model(columns=8, signals_op="Log")
NAMES = list(SIGNAL_NAMES)
HALF = REAL[: len(REAL) // 2]

BAD_FILES: dict[str, tuple[dict[str, bytes | None], str]] = {
    "no model": ({"attention.onnx": None}, "expected attention.onnx, got HTTP status 404"),
    "no card": ({"attention.json": None}, "expected attention.json, got HTTP status 404"),
    "a card that is no JSON": ({"attention.json": b"{"}, "expected attention.json, got "),
    "a card that is a list": ({"attention.json": b"[]"}, "expected a sha256 in the card of attention.onnx"),
    "a card of another model": ({"attention.json": card(PLAIN)}, "sha256 of its card"),
    "a card without a threshold": ({"attention.json": card(REAL, threshold=None)}, "expected threshold from 0 to 1"),
    "a threshold that is none": ({"attention.json": card(REAL, threshold=1.5)}, "got 1.5"),
    "a truncated model": ({"attention.onnx": HALF}, "sha256 of its card"),
    "a truncated model with its card": (
        {"attention.onnx": HALF, "attention.json": card(HALF)},
        "expected an ONNX model",
    ),
    "something else": ({"attention.onnx": b"hello", "attention.json": card(b"hello")}, "expected an ONNX model"),
    "a smaller input": ({"attention.onnx": NARROW, "attention.json": card(NARROW)}, "(N, 160, 160, 3) uint8"),
    "a larger output": ({"attention.onnx": FLAT, "attention.json": card(FLAT)}, "to give (N) float32"),
    "no signals": ({"attention.onnx": PLAIN, "attention.json": card(PLAIN, signals=NAMES)}, "got nothing"),
    "signals of other names": ({"attention.json": card(REAL, signals=NAMES[1:])}, "each of the signals yaw"),
    "no probability": (
        {"attention.onnx": WILD, "attention.json": card(WILD)},
        "expected attention.onnx to give a prob",
    ),
    "endless signals": (
        {"attention.onnx": WILD_SIGNALS, "attention.json": card(WILD_SIGNALS, signals=NAMES)},
        "to give finite signals",
    ),
    "no face model": ({"face.onnx": None}, "expected face.onnx, got HTTP status 404"),
    "a face model that is none": ({"face.onnx": PLAIN, "face.json": card(PLAIN)}, "(1, 120, 160, 3) uint8"),
    "no runtime": ({"ort.wasm.min.mjs": None}, "This server has no browser inference files"),
    "half a runtime": ({"ort-wasm-simd-threaded.mjs": None}, "This server has no browser inference files"),
    "no WebAssembly": ({"ort-wasm-simd-threaded.wasm": None}, "This server has no browser inference files"),
    "no worker": ({"worker.js": None}, "broke off: expected a worker, got "),
}


@pytest.mark.parametrize(("files", "words"), BAD_FILES.values(), ids=BAD_FILES.keys())
async def test_what_is_missing_or_broken_is_named_and_there_is_no_label(
    files: dict[str, bytes | None], words: str, meeting: Meeting, open_page: OpenPage
) -> None:
    page = await bare(meeting, open_page, allow=FAILED_REQUEST)
    for name, data in files.items():
        await page.context.route(f"**/{name}", _serving(data))
    await page.evaluate(START)
    await page.wait_for_function("() => said.length > 0", timeout=PATIENCE_MS)
    states, said = await page.evaluate("[states, said]")
    assert [state for state, _ in states] == ["loading", "failed"]
    assert words in states[1][1]
    assert said == [{"verdict": {"label": "unknown", "score": 0, "reason": "no_model", "detail": ""}, "box": None}]
    await wait_for_no_worker(page)


def _serving(data: bytes | None) -> Callable[[Route], Awaitable[None]]:
    async def answer(route: Route) -> None:
        if data is None:
            await route.fulfill(status=404, body="")
        else:
            await route.fulfill(body=data)

    return answer
