"""What models with real weights find in pictures, by their authors' own pre- and post-processing.

usage: weights.py files                    where the packages keep their weights
       weights.py find MODEL PICTURE…      of each picture: objects (score, class, left, top, right, bottom)
                                           or scores by their labels
"""
import importlib.util
import json
import pathlib
import sys

import cv2
import ddddocr
import nudenet.nudenet
import numpy as np
import onnxruntime

RAPIDOCR = pathlib.Path(importlib.util.find_spec("rapidocr_onnxruntime").origin).parent / "models"
FILES = {
    "nudenet": pathlib.Path(nudenet.__file__).parent / "320n.onnx",
    "ddddocr": pathlib.Path(ddddocr.__file__).parent / "common_det.onnx",
    "text": RAPIDOCR / "ch_PP-OCRv4_det_infer.onnx",
    "upright": RAPIDOCR / "ch_ppocr_mobile_v2.0_cls_infer.onnx",
}
LABELS = vars(nudenet.nudenet)["__labels"]
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
        [d["score"], LABELS.index(d["class"]), *(np.array([x, y, x + w, y + h]) * factor).tolist()]
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
    return [[float(row[4]), 0, *(np.clip(row[:4], 0, limits) * factor).tolist()] for row in found]


def find_paddle(session, path, side):
    """Its pictures: BGR from -1 to 1, here stretched to the input."""
    image, _ = picture(path, max(side))
    small = cv2.resize(image, side, interpolation=cv2.INTER_LINEAR)
    tensor = ((small / np.float32(255) - 0.5) / 0.5).transpose(2, 0, 1)[None].astype(np.float32)
    return session.run(None, {session.get_inputs()[0].name: tensor})[0][0]


def find_text(session, path):
    # The binary map that its boxes are drawn around, DBPostProcess with thresh 0.3.
    return {"text": float((find_paddle(session, path, (640, 480))[0] > 0.3).mean())}


def find_upright(session, path):
    return dict(zip(["0", "180"], map(float, find_paddle(session, path, (192, 48)))))


def main(action, model="", *paths):
    if action == "files":
        return {name: str(path) for name, path in FILES.items()}
    if model == "nudenet":
        detector, find = nudenet.nudenet.NudeDetector(), find_nudenet
    elif model == "ddddocr":
        detector, find = ddddocr.core.detection_engine.DetectionEngine(), find_ddddocr
    else:
        detector = onnxruntime.InferenceSession(str(FILES[model]))
        find = find_text if model == "text" else find_upright
    return [find(detector, path) for path in paths]


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
