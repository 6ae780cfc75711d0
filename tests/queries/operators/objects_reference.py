"""Writes objects_reference.json: what CenterNet finds, with onnxruntime, OpenCV and NumPy alone.

Run with onnxruntime 1.31, opencv-python-headless 5.0.0 and numpy from this folder.
"""
import json
import pathlib

import cv2
import numpy as np
import onnxruntime

HERE = pathlib.Path(__file__).parent
MODELS = HERE / "../../../models/centernet"
FILES = ["astronaut.jpg", "coffee.jpg", "coffee.png"]


def main():
    manifest = json.loads((MODELS / "model.json").read_text())
    session = onnxruntime.InferenceSession(str(MODELS / manifest["file"]))
    labels = manifest["outputs"][0]["labels"]
    result = []
    for file in FILES:
        picture = cv2.imread(str(HERE / "stills" / file), cv2.IMREAD_COLOR)
        height, width = picture.shape[:2]
        image = cv2.resize(picture, (384, 384), interpolation=cv2.INTER_LINEAR)[..., ::-1]
        heat, sides = session.run(["keypoints", "wh"], {"image": image[None].astype(np.float32)})
        found = []
        for channel, y, x in np.argwhere(heat[0] > 0.3):
            score = heat[0, channel, y, x]
            around = heat[0, channel, max(0, y - 1):y + 2, max(0, x - 1):x + 2]
            if score < around.max():
                continue
            left, top, right, bottom = sides[0, :, y, x]
            box = [4 * x - left, 4 * y - top, 4 * x + right, 4 * y + bottom]
            scaled = np.array(box) * np.array([width, height, width, height]) / 384
            clipped = np.clip(scaled, 0, [width, height, width, height])
            found.append({
                "label": labels[channel],
                "score": round(float(score), 5),
                "box": [round(float(value), 2) for value in clipped],
            })
        found.sort(key=lambda entry: -entry["score"])
        result.append({"file": file, "objects": found})
    lines = ",\n".join(json.dumps(entry) for entry in result)
    (HERE / "objects_reference.json").write_text(f"[\n{lines}\n]\n")


main()
