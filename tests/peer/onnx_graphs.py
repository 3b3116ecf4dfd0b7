"""Graphs that `onnx` finds fine and no participant should run: made with the package, as a stranger would."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.peer.onnx_bytes import INPUT, OUTPUT

FACE = helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["N", 160, 160, 3])
SCORE = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N"])


def graph(
    nodes: Sequence[onnx.NodeProto],
    *,
    inputs: Sequence[onnx.ValueInfoProto] = (FACE,),
    outputs: Sequence[onnx.ValueInfoProto] = (SCORE,),
    initializers: Sequence[onnx.TensorProto] = (),
    functions: Sequence[onnx.FunctionProto] = (),
    opset: int = 17,
    domain: str = "",
) -> bytes:
    """A model of the contract's form by default: `nodes` are given the mean of the face, (N,), as `mean`."""
    first = [
        helper.make_node("Cast", [INPUT], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["mean"], axes=[1, 2, 3], keepdims=0),
    ]
    imports = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    made = helper.make_model(
        helper.make_graph([*(first if inputs else []), *nodes], "g", inputs, outputs, initializers),
        opset_imports=imports,
        functions=functions,
        ir_version=8,
    )
    return bytes(made.SerializeToString())


def sigmoid_of(name: str) -> onnx.NodeProto:
    """The last node."""
    return helper.make_node("Sigmoid", [name], [OUTPUT])


def endless() -> bytes:
    """A loop whose condition stays true."""
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["again"], ["go"]), helper.make_node("Sin", ["x"], ["y"])],
        "body",
        [info("i", TensorProto.INT64, []), info("again", TensorProto.BOOL, []), info("x", TensorProto.FLOAT, ["N"])],
        [info("go", TensorProto.BOOL, []), info("y", TensorProto.FLOAT, ["N"])],
    )
    loop = helper.make_node("Loop", ["", "true", "mean"], ["end"], body=body)
    return graph([loop, sigmoid_of("end")], initializers=[numpy_helper.from_array(np.array(True), "true")])


def hungry(numbers: int) -> bytes:
    """Asks for an array of so many floats."""
    nodes = [
        helper.make_node("ConstantOfShape", ["size"], ["all"]),
        helper.make_node("ReduceMax", ["all"], ["most"], keepdims=0),
        helper.make_node("Add", ["mean", "most"], ["sum"]),
        sigmoid_of("sum"),
    ]
    return graph(nodes, initializers=[numpy_helper.from_array(np.array([numbers], np.int64), "size")])


def outside(location: str) -> bytes:
    """Has its weight in another file."""
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "0"), ("length", "4")):
        weight.external_data.add(key=key, value=value)
    return graph([helper.make_node("Mul", ["mean", "w"], ["product"]), sigmoid_of("product")], initializers=[weight])


def recursive() -> bytes:
    """A function that calls itself."""
    call = helper.make_node("F", ["x"], ["y"], domain="own")
    own = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    function = helper.make_function("own", "F", ["x"], ["y"], [call], own)
    return graph([helper.make_node("F", ["mean"], [OUTPUT], domain="own")], functions=[function], domain="own")


def without_inputs() -> bytes:
    """Says the same of everybody."""
    half = numpy_helper.from_array(np.array([0.5], np.float32))
    return graph([helper.make_node("Constant", [], [OUTPUT], value=half)], inputs=[])


def without_outputs() -> bytes:
    """Says nothing."""
    return graph([sigmoid_of("mean")], outputs=[])


def sequence() -> bytes:
    """Gives a list of arrays."""
    value = helper.make_tensor_sequence_value_info(OUTPUT, TensorProto.FLOAT, None)
    return graph([helper.make_node("SequenceConstruct", ["mean"], [OUTPUT])], outputs=[value])


def two_inputs() -> bytes:
    """Wants something else beside the face."""
    more = helper.make_tensor_value_info("more", TensorProto.FLOAT, ["N"])
    return graph([helper.make_node("Add", ["mean", "more"], ["sum"]), sigmoid_of("sum")], inputs=[FACE, more])


def other_shape() -> bytes:
    """Gives four probabilities where it promises (N,)."""
    nodes = [helper.make_node("Concat", ["mean"] * 4, ["all"], axis=0), sigmoid_of("all")]
    return graph(nodes)


def unknown_operator() -> bytes:
    """Of somebody's own runtime."""
    return graph([helper.make_node("Theirs", ["mean"], [OUTPUT], domain="their.own")], domain="their.own")


def future() -> bytes:
    """Of an operator set that nobody has yet."""
    return graph([sigmoid_of("mean")], opset=99)


def long_names(length: int) -> bytes:
    """Its outputs' names fill a page, and so do its sizes."""
    sizes = [f"{number}" * 9 for number in range(length)]
    value = helper.make_tensor_value_info("a" * length, TensorProto.FLOAT, sizes)
    return graph([helper.make_node("Sigmoid", ["mean"], ["a" * length])], outputs=[value])
