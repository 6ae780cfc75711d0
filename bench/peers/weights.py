"""What real detectors find in pictures, by their authors' own pre- and post-processing.

usage: weights.py files                     where the packages keep their weights
       weights.py find MODEL PICTURE…      objects of each picture: score, left, top, right, bottom
"""
import json
import pathlib
import sys

import cv2
import ddddocr
import nudenet.nudenet
import numpy as np

FILES = {
    "nudenet": pathlib.Path(nudenet.__file__).parent / "320n.onnx",
    "ddddocr": pathlib.Path(ddddocr.__file__).parent / "common_det.onnx",
}
REDUCED = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4}


def picture(path, side):
    """A picture of at least the model's side, and by how much it was reduced."""
    size = max(cv2.imread(path).shape[:2])
    factor = max(f for f in REDUCED if size / f >= side or f == 1)
    return cv2.imread(path, REDUCED[factor]), factor


def find_nudenet(detector, path):
    # Its authors cut boxes to whole pixels.
    nudenet.nudenet.int = float
    image, factor = picture(path, 320)
    return [
        [d["score"], *(np.array([x, y, x + w, y + h]) * factor).tolist()]
        for d in detector.detect(image)
        for x, y, w, h in [d["box"]]
    ]


def find_ddddocr(engine, path):
    image, factor = picture(path, 416)
    height, width = image.shape[:2]
    tensor, ratio = engine.preproc(image, (416, 416))
    output = engine.session.run(None, {engine.session.get_inputs()[0].name: tensor[None]})[0]
    rows = engine.demo_postprocess(output, (416, 416))[0]
    half = rows[:, 2:4] / 2
    boxes = np.concatenate([rows[:, :2] - half, rows[:, :2] + half], 1) / ratio
    found = engine.multiclass_nms(boxes, rows[:, 4:5] * rows[:, 5:], nms_thr=0.45, score_thr=0.1)
    if found is None:
        return []
    limits = [width, height, width, height]
    return [[float(row[4]), *(np.clip(row[:4], 0, limits) * factor).tolist()] for row in found]


def main(action, model="", *paths):
    if action == "files":
        return {name: str(path) for name, path in FILES.items()}
    if model == "nudenet":
        detector, find = nudenet.nudenet.NudeDetector(), find_nudenet
    else:
        detector, find = ddddocr.core.detection_engine.DetectionEngine(), find_ddddocr
    return [find(detector, path) for path in paths]


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
