"""ONNX Runtime Web, with which browsers run the model: npm installs it beside the code, we serve three files of it."""

from __future__ import annotations

import json
from pathlib import Path

from aiohttp import web

from signaling.errors import NotFound

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "node_modules" / "onnxruntime-web"
INSTALL = "npm ci --omit=dev --ignore-scripts"
"""In the folder of package.json."""

TYPES = {
    "ort.wasm.min.mjs": "text/javascript",
    "ort-wasm-simd-threaded.mjs": "text/javascript",
    "ort-wasm-simd-threaded.wasm": "application/wasm",
}
"""The build for WebAssembly alone, without WebGPU: what it needs, and nothing of the other hundred megabytes."""


def missing() -> list[str]:
    """Which of the files are not there."""
    return [name for name in TYPES if not (PACKAGE / "dist" / name).is_file()]


def pinned() -> str | None:
    """The version that package.json asks for; None without that file, in a copy that is no checkout."""
    return _read(ROOT / "package.json", "dependencies", "onnxruntime-web")


def installed() -> str | None:
    """The version that npm has installed; None for none."""
    return None if missing() else _read(PACKAGE / "package.json", "version")


def _read(path: Path, *keys: str) -> str | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        for key in keys:
            value = value[key]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(value)


async def serve(request: web.Request) -> web.StreamResponse:
    """`GET /ort/{file}`: one of the three files; without npm's packages `404`, and browsers join without a label."""
    name = request.match_info["file"]
    if name not in TYPES or not (PACKAGE / "dist" / name).is_file():
        raise NotFound("expected a file of ONNX Runtime Web that is installed here, got another")
    # With a .gz beside it, aiohttp sends that: a quarter of 14 MB.
    return web.FileResponse(PACKAGE / "dist" / name, headers={"Content-Type": TYPES[name], "Cache-Control": "no-cache"})
