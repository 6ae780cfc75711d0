"""Writes tiny models of shapes that real ones have, for models_test.ts.

constants: a float64 picture and two inputs that take none; answers one box in pixels of the frame.
bytes: an int8 picture; answers the mean of its samples.
external: its only weight lies in a file beside it.
batch: a batch fixed at 2; answers a box for each frame, whose score is the frame's mean.
nms: rows after NMS, as many as the picture is bright (0 or 2).
bright: its numbers as they are, and those above a half.
eight: fails unless the picture has 8x8 pixels, which its input does not say.
late: answers the mean of the picture before, which a state of 16 KB holds; its output names no sizes.

Run with onnx 1.23 and numpy from this folder: python3 make.py
"""
import pathlib

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper, numpy_helper

HERE = pathlib.Path(__file__).parent


def save(name, inputs, outputs, nodes, weights, external=None):
    graph = helper.make_graph(
        [helper.make_node(kind, ins, outs, **attributes) for kind, ins, outs, attributes in nodes],
        name,
        [helper.make_tensor_value_info(*value) for value in inputs],
        [helper.make_tensor_value_info(*value) for value in outputs],
        [numpy_helper.from_array(np.asarray(value), key) for key, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="framelane")
    model.ir_version = 8
    onnx.checker.check_model(model)
    if external:
        onnx.save(model, HERE / f"{name}.onnx", save_as_external_data=True, location=external, size_threshold=0)
    else:
        onnx.save(model, HERE / f"{name}.onnx")


save(
    "constants",
    [("image", T.DOUBLE, [1, 3, 32, 32]), ("orig_target_sizes", T.INT64, ["N", 2]), ("iou", T.FLOAT, [])],
    [("boxes", T.DOUBLE, [1, 1, 4]), ("scores", T.DOUBLE, [1, 1]), ("labels", T.INT64, [1, 1])],
    [
        ("Cast", ["orig_target_sizes"], ["size"], {"to": T.DOUBLE}),
        ("Mul", ["size", "half"], ["low"], {}),
        ("Concat", ["low", "size"], ["box"], {"axis": 1}),
        ("Reshape", ["box", "shape"], ["boxes"], {}),
        ("ReduceMean", ["image"], ["mean"], {"keepdims": 0}),
        ("Cast", ["iou"], ["iou64"], {"to": T.DOUBLE}),
        ("Mul", ["mean", "iou64"], ["product"], {}),
        ("Reshape", ["product", "one"], ["scores"], {}),
        ("Reshape", ["zero", "one"], ["labels"], {}),
    ],
    {"half": np.float64(0.5), "shape": np.array([1, 1, 4]), "one": np.array([1, 1]), "zero": np.int64(0)},
)
save(
    "bytes",
    [("image", T.INT8, [1, 8, 8, 3])],
    [("score", T.FLOAT, [1, 1])],
    [
        ("Cast", ["image"], ["float"], {"to": T.FLOAT}),
        ("ReduceMean", ["float"], ["mean"], {"keepdims": 0}),
        ("Reshape", ["mean", "one"], ["score"], {}),
    ],
    {"one": np.array([1, 1])},
)
save(
    "external",
    [("image", T.FLOAT, ["N", 3, 8, 8])],
    [("score", T.FLOAT, ["N"])],
    [
        ("ReduceMean", ["image"], ["mean"], {"axes": [1, 2, 3], "keepdims": 0}),
        ("Mul", ["mean", "weight"], ["score"], {}),
    ],
    {"weight": np.array([0.5], np.float32)},
    external="external.bin",
)
save(
    "batch",
    [("image", T.FLOAT, [2, 3, 8, 8])],
    [("out", T.FLOAT, [2, 1, 6])],
    [
        ("ReduceMean", ["image"], ["mean"], {"axes": [1, 2, 3], "keepdims": 0}),
        ("Reshape", ["mean", "apart"], ["score"], {}),
        ("Concat", ["box", "score", "class"], ["out"], {"axis": 2}),
    ],
    {
        "apart": np.array([2, 1, 1]),
        "box": np.tile(np.array([2, 2, 6, 6], np.float32), (2, 1, 1)),
        "class": np.zeros((2, 1, 1), np.float32),
    },
)
save(
    "nms",
    [("image", T.FLOAT, [1, 3, 8, 8])],
    [("out", T.FLOAT, ["n", 6])],
    [
        ("ReduceMean", ["image"], ["mean"], {"keepdims": 0}),
        ("Greater", ["mean", "half"], ["bright"], {}),
        ("Cast", ["bright"], ["count"], {"to": T.INT64}),
        ("Mul", ["count", "two"], ["stop"], {}),
        ("Reshape", ["stop", "one"], ["stops"], {}),
        ("Slice", ["rows", "zeros", "stops"], ["out"], {}),
    ],
    {
        "half": np.float32(0.5), "two": np.int64(2), "one": np.array([1]), "zeros": np.array([0]),
        "rows": np.array([[0, 0, 4, 4, 0.9, 0], [4, 4, 8, 8, 0.8, 1]], np.float32),
    },
)
save(
    "bright",
    [("numbers", T.FLOAT, ["n"])],
    [("same", T.FLOAT, ["n"]), ("bright", T.FLOAT, ["m"])],
    [
        ("Identity", ["numbers"], ["same"], {}),
        ("Greater", ["numbers", "half"], ["which"], {}),
        ("Compress", ["numbers", "which"], ["bright"], {"axis": 0}),
    ],
    {"half": np.float32(0.5)},
)
save(
    "eight",
    [("image", T.FLOAT, [1, 3, "H", "W"])],
    [("score", T.FLOAT, [])],
    [("Reshape", ["image", "shape"], ["row"], {}), ("ReduceMean", ["row"], ["score"], {"keepdims": 0})],
    {"shape": np.array([192])},
)
save(
    "late",
    [("image", T.FLOAT, [1, 3, 8, 8]), ("before", T.FLOAT, [1, 4096])],
    [("score", T.FLOAT, ["b", "n"]), ("now", T.FLOAT, [1, 4096])],
    [
        ("ReduceMean", ["before"], ["score"], {"axes": [1], "keepdims": 1}),
        ("ReduceMean", ["image"], ["mean"], {"axes": [1, 2, 3], "keepdims": 0}),
        ("Expand", ["mean", "shape"], ["now"], {}),
    ],
    {"shape": np.array([1, 4096])},
)
