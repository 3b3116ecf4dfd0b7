"""Tiny ONNX models, written as protobuf by hand, so that tests of bad files need no `onnx` package."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

UINT8, FLOAT = 2, 1
INPUT, OUTPUT = "face", "attentive"


def write_model(path: Path, data: bytes, **card: object) -> Path:
    """Write `data` and a fitting card beside it, with the fields of `card` on top."""
    path.write_bytes(data)
    fields = {"crop_scale": 1.25, "threshold": 0.5, "sha256": hashlib.sha256(data).hexdigest()} | card
    path.with_suffix(".json").write_text(json.dumps(fields))
    return path


def model(
    *,
    shape: tuple[int | str, ...] = ("N", 160, 160, 3),
    element: int = UINT8,
    last_op: str = "Sigmoid",
    keep_dims: bool = False,
) -> bytes:
    """Mean over all axes but the first, then `last_op`: (N,), or (N, 1, 1, 1) with `keep_dims`."""
    axes = list(range(1, len(shape)))
    to_float = _node("Cast", INPUT, "float", _attribute("to", 2, [FLOAT]))
    mean = _node(
        "ReduceMean", "float", "mean", _attribute("axes", 7, axes), _attribute("keepdims", 2, [int(keep_dims)])
    )
    last = _node(last_op, "mean", OUTPUT)
    result: tuple[int | str, ...] = ("N", *(1 for _ in axes)) if keep_dims else ("N",)
    graph = b"".join(_field(1, node) for node in (to_float, mean, last))
    graph += _field(2, b"test") + _field(11, _value(INPUT, element, shape)) + _field(12, _value(OUTPUT, FLOAT, result))
    opset = _field(1, b"") + _integer(2, 13)
    return _integer(1, 8) + _field(7, graph) + _field(8, opset)


def _node(kind: str, source: str, target: str, *attributes: bytes) -> bytes:
    node = _field(1, source.encode()) + _field(2, target.encode()) + _field(4, kind.encode())
    return node + b"".join(_field(5, attribute) for attribute in attributes)


def _attribute(name: str, kind: int, values: list[int]) -> bytes:
    """`kind`: 2 for one integer, 7 for a list of them."""
    place = 3 if kind == 2 else 8
    return _field(1, name.encode()) + b"".join(_integer(place, value) for value in values) + _integer(20, kind)


def _value(name: str, element: int, shape: tuple[int | str, ...]) -> bytes:
    dims = b"".join(
        _field(1, _integer(1, size) if isinstance(size, int) else _field(2, size.encode())) for size in shape
    )
    return _field(1, name.encode()) + _field(2, _field(1, _integer(1, element) + _field(2, dims)))


def _field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _integer(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
