"""Writes peer_reference.json: a tensor as the best Python makes it (bench/peers/python_best.py).

Run with opencv-python-headless 5.0.0 and numpy from this folder: python3 peer_reference.py
"""
import json
import pathlib

import cv2
import numpy as np

HERE = pathlib.Path(__file__).parent
STEP = 7

encoded = np.frombuffer((HERE / "restarts.jpg").read_bytes(), np.uint8)
picture = cv2.imdecode(encoded, cv2.IMREAD_REDUCED_COLOR_2)
small = cv2.resize(picture, (56, 56), interpolation=cv2.INTER_LINEAR)
rgb = cv2.cvtColor(small, cv2.COLOR_BGR2RGB)
tensor = np.multiply(rgb, np.float32(1 / 255), dtype=np.float32).ravel()
result = {
    "width": 56,
    "height": 56,
    "mean": float(tensor.mean(dtype=np.float64)),
    "step": STEP,
    "samples": [round(float(value), 6) for value in tensor[::STEP]],
}
(HERE / "peer_reference.json").write_text(json.dumps(result) + "\n")
