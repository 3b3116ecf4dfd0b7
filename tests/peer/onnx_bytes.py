"""Tiny ONNX models, written as protobuf by hand, so that tests of bad files need no `onnx` package."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

UINT8, FLOAT = 2, 1
INPUT, OUTPUT, SIGNALS = "face", "attentive", "signals"


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
    columns: int = 0,
    flat_signals: bool = False,
    signals_op: str = "Identity",
) -> bytes:
    """Mean over all axes but the first, then `last_op`: (N,), or (N, 1, 1, 1) with `keep_dims`.

    With `columns` a second output `signals`, (N, columns): the k-th is `signals_op` of k times the mean, k from 1.
    `flat_signals`: it is their mean, (N,).
    """
    axes = list(range(1, len(shape)))
    to_float = _node("Cast", INPUT, "float", _attribute("to", 2, [FLOAT]))
    mean = _node(
        "ReduceMean", "float", "mean", _attribute("axes", 7, axes), _attribute("keepdims", 2, [int(keep_dims)])
    )
    last = _node(last_op, "mean", OUTPUT)
    result: tuple[int | str, ...] = ("N", *(1 for _ in axes)) if keep_dims else ("N",)
    nodes = [to_float, mean, last]
    if columns:
        nodes += _signals(axes, columns, signals_op, flat=flat_signals)
    graph = b"".join(_field(1, node) for node in nodes)
    graph += _field(2, b"test") + _field(11, _value(INPUT, element, shape)) + _field(12, _value(OUTPUT, FLOAT, result))
    if columns:
        graph += _field(12, _value(SIGNALS, FLOAT, ("N",) if flat_signals else ("N", columns)))
    opset = _field(1, b"") + _integer(2, 13)
    return _integer(1, 8) + _field(7, graph) + _field(8, opset)


def _signals(axes: list[int], columns: int, last_op: str, *, flat: bool) -> list[bytes]:
    nodes = [
        _node("ReduceMean", "float", "kept", _attribute("axes", 7, axes), _attribute("keepdims", 2, [1])),
        _node("Flatten", "kept", "column1", _attribute("axis", 2, [1])),
    ]
    nodes += [_node("Add", f"column{k - 1} column1", f"column{k}") for k in range(2, columns + 1)]
    names = " ".join(f"column{k}" for k in range(1, columns + 1))
    nodes += [_node("Concat", names, "table", _attribute("axis", 2, [1])), _node(last_op, "table", "done")]
    if flat:
        nodes.append(_node("ReduceMean", "done", SIGNALS, _attribute("axes", 7, [1]), _attribute("keepdims", 2, [0])))
    else:
        nodes.append(_node("Identity", "done", SIGNALS))
    return nodes


def _node(kind: str, sources: str, target: str, *attributes: bytes) -> bytes:
    """`sources`: names with blanks between."""
    node = b"".join(_field(1, source.encode()) for source in sources.split())
    node += _field(2, target.encode()) + _field(4, kind.encode())
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
