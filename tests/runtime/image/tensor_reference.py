"""Writes tensor_reference.json: tensors made with OpenCV and NumPy, to compare Framelane's with.

Run with opencv-python-headless 5.0.0 and numpy from this folder: python3 tensor_reference.py
"""
import json
import math
import pathlib

import cv2
import numpy as np

HERE = pathlib.Path(__file__).parent
PICTURE = HERE / "../../../clips/astronaut.jpg"
REDUCED = {
    ("color", 1): cv2.IMREAD_COLOR,
    ("color", 2): cv2.IMREAD_REDUCED_COLOR_2,
    ("color", 4): cv2.IMREAD_REDUCED_COLOR_4,
    ("grey", 1): cv2.IMREAD_GRAYSCALE,
    ("grey", 2): cv2.IMREAD_REDUCED_GRAYSCALE_2,
    ("grey", 4): cv2.IMREAD_REDUCED_GRAYSCALE_4,
}
CASES = [
    {},
    {"reduce": False},
    {"order": "CHW", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
    {"color": "BGR", "width": 172, "height": 172},
    {"color": "GRAY", "mean": [0.5], "std": [0.25]},
    {"resize": "letterbox", "width": 320, "height": 192},
    {"resize": "letterbox", "width": 96, "height": 160, "order": "CHW", "mean": [0.1, 0.2, 0.3]},
    {"resize": "crop", "width": 300, "height": 180},
    {"resize": "crop", "width": 90, "height": 200, "color": "BGR"},
    {"dtype": "uint8", "scale": 1, "width": 384, "height": 384},
    {"dtype": "float16", "width": 256, "height": 256},
    {"width": 700, "height": 600, "scale": 1},
    {"width": 100, "height": 60},
]
DEFAULT = {
    "width": 224, "height": 224, "color": "RGB", "resize": "fill", "dtype": "float32",
    "order": "HWC", "scale": 1 / 255, "mean": [0, 0, 0], "std": [1, 1, 1], "reduce": True,
}


def round_half_up(value):
    return math.floor(value + 0.5)


def fit(width, height, outer_width, outer_height):
    factor = min(outer_width / width, outer_height / height)
    w = max(1, min(outer_width, round_half_up(width * factor)))
    h = max(1, min(outer_height, round_half_up(height * factor)))
    return (outer_width - w) // 2, (outer_height - h) // 2, w, h


def tensor(encoded, source_width, source_height, spec):
    width, height = spec["width"], spec["height"]
    content = (0, 0, width, height)
    if spec["resize"] == "letterbox":
        content = fit(source_width, source_height, width, height)
    for denominator in [4, 2, 1] if spec["reduce"] else [1]:
        w = math.ceil(source_width / denominator)
        h = math.ceil(source_height / denominator)
        crop = fit(width, height, w, h) if spec["resize"] == "crop" else (0, 0, w, h)
        if crop[2] >= content[2] and crop[3] >= content[3]:
            break
    kind = "grey" if spec["color"] == "GRAY" else "color"
    picture = cv2.imdecode(encoded, REDUCED[kind, denominator] | cv2.IMREAD_IGNORE_ORIENTATION)
    assert picture.shape[:2] == (h, w)
    picture = picture[crop[1]:crop[1] + crop[3], crop[0]:crop[0] + crop[2]]
    picture = cv2.resize(picture, content[2:], interpolation=cv2.INTER_LINEAR)
    picture = picture.reshape(content[3], content[2], -1)
    if spec["color"] == "RGB":
        picture = picture[..., ::-1]
    canvas = np.zeros((height, width, picture.shape[2]), np.float64)
    canvas[content[1]:content[1] + content[3], content[0]:content[0] + content[2]] = picture
    result = (canvas * spec["scale"] - np.array(spec["mean"])) / np.array(spec["std"][:len(spec["mean"])])
    if spec["order"] == "CHW":
        result = result.transpose(2, 0, 1)
    return result.ravel()


def main():
    encoded = np.frombuffer(PICTURE.read_bytes(), np.uint8)
    source_height, source_width = cv2.imdecode(encoded, cv2.IMREAD_COLOR).shape[:2]
    entries = []
    for case in CASES:
        values = tensor(encoded, source_width, source_height, {**DEFAULT, **case})
        # Every so many samples, by a step that shares no factor with rows or planes.
        step = 211 if len(values) < 100_000 else 997
        entries.append({
            "spec": case,
            "size": len(values),
            "mean": round(float(values.mean()), 7),
            "step": step,
            "samples": [round(float(value), 6) for value in values[::step]],
        })
    lines = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in entries)
    (HERE / "tensor_reference.json").write_text(
        '{"default":%s,"cases":[\n%s\n]}\n' % (json.dumps(DEFAULT), lines)
    )


main()
