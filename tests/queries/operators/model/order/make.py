"""Writes the models of this folder: they say which frames they saw, in which order.

A frame holds its number in 16 black or white squares of 8 pixels, the lowest bit first. Each model
reads the squares and puts the numbers out, in the order in which it was given the frames.

Run with onnx 1.23 and numpy from this folder: python3 make.py
"""
import hashlib
import json
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).parent
BITS = 16
TYPES = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "uint8": TensorProto.UINT8}


class Graph:
    def __init__(self):
        self.nodes, self.weights, self.count = [], [], 0

    def name(self):
        self.count += 1
        return f"t{self.count}"

    def weight(self, array):
        name = self.name()
        self.weights.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def op(self, kind, *inputs, out=None, **attributes):
        out = out or self.name()
        self.nodes.append(helper.make_node(kind, inputs, [out], **attributes))
        return out

    def numbers(self, value, layout, frames, half):
        """The numbers of an input's frames: [1, frames]."""
        value = self.op("Cast", value, to=TensorProto.FLOAT)
        order = layout if "T" in layout else layout.replace("N", "T")
        wanted = "NTHWC" if "N" in order else "THWC"
        value = self.op("Transpose", value, perm=[order.index(letter) for letter in wanted])
        value = self.op("Reshape", value, self.weight(np.array([1, frames, BITS, -1], np.int64)))
        value = self.op("ReduceMean", value, self.weight(np.array([3], np.int64)), keepdims=0)
        value = self.op("Greater", value, self.weight(np.float32(half)))
        value = self.op("Cast", value, to=TensorProto.FLOAT)
        value = self.op("MatMul", value, self.weight(2.0 ** np.arange(BITS, dtype=np.float32)[:, None]))
        return self.op("Reshape", value, self.weight(np.array([1, frames], np.int64)))


def shape(layout, frames):
    sizes = {"N": 1 if "T" in layout else frames, "T": frames, "H": 1, "W": BITS, "C": 3}
    return [sizes[letter] for letter in layout]


def entry(name, layout, dtype, frames):
    return {
        "name": name, "dtype": dtype, "layout": layout, "frames": frames,
        "height": 1, "width": BITS, "scale": 1 if dtype == "uint8" else 1 / 255,
    }


def write(name, graph, inputs, outputs, manifest):
    model = helper.make_model(
        helper.make_graph(graph.nodes, name, inputs, outputs, graph.weights),
        opset_imports=[helper.make_opsetid("", 18)], ir_version=9, producer_name="make.py",
    )
    onnx.checker.check_model(model)
    data = model.SerializeToString()
    (HERE / f"{name}.onnx").write_bytes(data)
    manifest = {
        "name": name, "version": "1", "file": f"{name}.onnx",
        "sha256": hashlib.sha256(data).hexdigest(), "licence": "MIT", **manifest,
    }
    (HERE / f"{name}.json").write_text(json.dumps(manifest, indent=2) + "\n")


def order(name, layout, dtype="float32", frames=8):
    graph = Graph()
    seen = graph.numbers("frames", layout, frames, 127.5 if dtype == "uint8" else 0.5)
    graph.op("Identity", seen, out="seen")
    graph.op("ReduceMax", seen, graph.weight(np.array([1], np.int64)), out="last")
    write(
        name, graph,
        [helper.make_tensor_value_info("frames", TYPES[dtype], shape(layout, frames))],
        [
            helper.make_tensor_value_info("seen", TensorProto.FLOAT, [1, frames]),
            helper.make_tensor_value_info("last", TensorProto.FLOAT, [1, 1]),
        ],
        {
            "input": entry("frames", layout, dtype, frames),
            "hop": 3,
            "outputs": [{"name": "seen", "kind": "frame"}, {"name": "last", "kind": "window"}],
        },
    )


def state():
    """Adds up the numbers of all frames since its state began, and counts its runs."""
    graph = Graph()
    seen = graph.numbers("frames", "NTHWC", 1, 0.5)
    graph.op("Add", "sum_in", seen, out="sum_out")
    graph.op("Add", "runs_in", graph.weight(np.array([1], np.int64)), out="runs_out")
    graph.op("Identity", "sum_out", out="sum")
    graph.op("Cast", "runs_out", out="runs", to=TensorProto.FLOAT)
    write(
        "state", graph,
        [
            helper.make_tensor_value_info("frames", TensorProto.FLOAT, shape("NTHWC", 1)),
            helper.make_tensor_value_info("sum_in", TensorProto.FLOAT, [1, 1]),
            helper.make_tensor_value_info("runs_in", TensorProto.INT64, [1]),
        ],
        [
            helper.make_tensor_value_info("sum", TensorProto.FLOAT, [1, 1]),
            helper.make_tensor_value_info("runs", TensorProto.FLOAT, [1]),
            helper.make_tensor_value_info("sum_out", TensorProto.FLOAT, [1, 1]),
            helper.make_tensor_value_info("runs_out", TensorProto.INT64, [1]),
        ],
        {
            "input": entry("frames", "NTHWC", "float32", 1),
            "outputs": [{"name": "sum", "kind": "window"}, {"name": "runs", "kind": "window"}],
            "state": [
                {"input": "sum_in", "output": "sum_out", "dtype": "float32", "shape": [1, 1]},
                {"input": "runs_in", "output": "runs_out", "dtype": "int64", "shape": [1]},
            ],
        },
    )


def two():
    """Two inputs of one window: all frames, and every fourth."""
    graph = Graph()
    graph.op("Identity", graph.numbers("fast", "NCTHW", 8, 0.5), out="fast_seen")
    graph.op("Identity", graph.numbers("slow", "NTCHW", 2, 0.5), out="slow_seen")
    write(
        "two", graph,
        [
            helper.make_tensor_value_info("slow", TensorProto.FLOAT, shape("NTCHW", 2)),
            helper.make_tensor_value_info("fast", TensorProto.FLOAT, shape("NCTHW", 8)),
        ],
        [
            helper.make_tensor_value_info("fast_seen", TensorProto.FLOAT, [1, 8]),
            helper.make_tensor_value_info("slow_seen", TensorProto.FLOAT, [1, 2]),
        ],
        {
            "input": [entry("slow", "NTCHW", "float32", 2), entry("fast", "NCTHW", "float32", 8)],
            "outputs": [
                {"name": "fast_seen", "kind": "frame"},
                {"name": "slow_seen", "kind": "window", "labels": ["first", "fifth"]},
            ],
        },
    )


for layout in ["NTHWC", "NTCHW", "NCTHW", "NHWC", "NCHW"]:
    order(layout.lower(), layout)
order("bytes", "NTHWC", "uint8")
order("halves", "NTCHW", "float16")
state()
two()
