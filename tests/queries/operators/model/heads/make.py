"""Writes heads_reference.json: heads of detectors with what their authors' post-processing makes of them.

Each case holds the tensors of a head (random, with some clear objects among noise), the entry of a
manifest that describes it, and the boxes in pixels of the frame that plain NumPy finds, written after the
published post-processing of each model: class-wise NMS with the boxes of each class moved apart,
letterbox undone by gain and padding.

Run with numpy from this folder: python3 make.py
"""
import base64
import json
import pathlib

import numpy as np

HERE = pathlib.Path(__file__).parent
RNG = np.random.default_rng(20)
W, H = 96, 64  # the input
FRAME_W, FRAME_H = 300, 150  # the frame: 96x48 of the input, 8 rows of bars above and below
CLASSES = 3
LABELS = ["cat", "dog", "bird"]


def letterbox():
    gain = min(W / FRAME_W, H / FRAME_H)
    return gain, (W - FRAME_W * gain) / 2, (H - FRAME_H * gain) / 2


def undo(boxes):
    gain, px, py = letterbox()
    out = boxes.copy()
    out[:, [0, 2]] = np.clip((out[:, [0, 2]] - px) / gain, 0, FRAME_W)
    out[:, [1, 3]] = np.clip((out[:, [1, 3]] - py) / gain, 0, FRAME_H)
    return out


def iou(box, boxes):
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    inter = np.prod(np.clip(high - low, 0, None), axis=1)
    area = lambda b: (b[..., 2] - b[..., 0]) * (b[..., 3] - b[..., 1])
    return inter / (area(box) + area(boxes) - inter)


def nms(boxes, scores, kinds, limit, agnostic=False):
    moved = boxes + (0 if agnostic else kinds[:, None] * 7680.0)
    order = np.argsort(-scores, kind="stable")
    keep = []
    while len(order):
        keep.append(order[0])
        order = order[1:][iou(moved[order[0]], moved[order[1:]]) <= limit]
    return np.array(keep, int)


def corners(xywh):
    half = xywh[:, 2:] / 2
    return np.concatenate([xywh[:, :2] - half, xywh[:, :2] + half], axis=1)


def centres(count):
    """Boxes that overlap in groups, as detectors give them."""
    middles = RNG.uniform([15, 15], [W - 15, H - 15], (6, 2))
    sizes = RNG.uniform(8, 30, (6, 2))
    pick = RNG.integers(0, 6, count)
    boxes = np.concatenate([middles[pick], sizes[pick]], axis=1)
    return (boxes + RNG.normal(0, 1.5, boxes.shape)).astype(np.float32)


def probabilities(count, classes=CLASSES):
    scores = RNG.uniform(0, 0.2, (count, classes))
    sure = RNG.choice(count, count // 4, replace=False)
    scores[sure, RNG.integers(0, classes, len(sure))] = RNG.uniform(0.3, 0.95, len(sure))
    return scores.astype(np.float32)


def cells():
    return sum((W // s) * (H // s) for s in (8, 16, 32))


CASES = []


def case(name, tensors, output, boxes, scores, kinds, resize="letterbox", constants=None):
    boxes = undo(boxes) if resize == "letterbox" else boxes
    order = np.argsort(-scores, kind="stable")
    CASES.append({
        "name": name,
        "tensors": {
            key: {"dtype": value.dtype.name, "shape": list(value.shape),
                  "data": base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()}
            for key, value in tensors.items()
        },
        "output": {"kind": "objects", "labels": LABELS, **output},
        "resize": resize,
        **({"constants": constants} if constants else {}),
        "objects": [
            {"label": LABELS[kinds[i]], "score": round(float(scores[i]), 5),
             "box": [round(float(v), 2) for v in boxes[i]]} for i in order
        ],
    })


def yolov8(name, dtype=np.float32, transposed=False, agnostic=False, batch=False):
    n = cells()
    xywh, p = centres(n), probabilities(n)
    table = np.concatenate([xywh, p], axis=1).astype(dtype)
    xywh, p = table[:, :4].astype(np.float32), table[:, 4:].astype(np.float32)
    tensor = table[None] if transposed else np.ascontiguousarray(table.T)[None]
    best, kinds = p.max(1), p.argmax(1)
    keep = best >= 0.25
    boxes, best, kinds = corners(xywh)[keep], best[keep], kinds[keep]
    kept = nms(boxes, best, kinds, 0.45, agnostic)
    case(name, {"output0": tensor}, {"name": "output0", "format": "yolov8",
         **({"agnostic": True} if agnostic else {})}, boxes[kept], best[kept], kinds[kept])


def yolov5():
    n = 3 * cells()
    xywh, p = centres(n), probabilities(n)
    there = RNG.uniform(0.5, 1, (n, 1)).astype(np.float32)
    tensor = np.concatenate([xywh, there, p], axis=1)[None]
    scores = p * there
    best, kinds = scores.max(1), scores.argmax(1)
    keep = best >= 0.25
    boxes, best, kinds = corners(xywh)[keep], best[keep], kinds[keep]
    kept = nms(boxes, best, kinds, 0.45)
    case("yolov5", {"out": tensor}, {"name": "out", "format": "yolov5"}, boxes[kept], best[kept], kinds[kept])


def yolox():
    n = cells()
    grid, strides = [], []
    for s in (8, 16, 32):
        ys, xs = np.mgrid[: H // s, : W // s]
        grid.append(np.stack([xs, ys], -1).reshape(-1, 2))
        strides.append(np.full((xs.size, 1), s))
    grid, strides = np.concatenate(grid), np.concatenate(strides)
    raw = np.concatenate([RNG.uniform(-0.5, 1.5, (n, 2)), RNG.uniform(-0.5, 0.8, (n, 2))], axis=1)
    raw = raw.astype(np.float32)
    p, there = probabilities(n), RNG.uniform(0.6, 1, (n, 1)).astype(np.float32)
    tensor = np.concatenate([raw, there, p], axis=1).astype(np.float32)[None]
    xywh = np.concatenate([(raw[:, :2] + grid) * strides, np.exp(raw[:, 2:]) * strides], axis=1)
    scores = p * there
    best, kinds = scores.max(1), scores.argmax(1)
    keep = best >= 0.25
    boxes, best, kinds = corners(xywh)[keep], best[keep], kinds[keep]
    kept = nms(boxes, best, kinds, 0.45)
    case("yolox", {"out": tensor}, {"name": "out", "format": "yolox"}, boxes[kept], best[kept], kinds[kept])


def yolov10():
    n = 30
    boxes = corners(centres(n))
    scores = np.sort(RNG.uniform(0, 0.9, n).astype(np.float32))[::-1].copy()
    kinds = RNG.integers(0, CLASSES, n)
    tensor = np.concatenate([boxes, scores[:, None], kinds[:, None]], axis=1).astype(np.float32)[None]
    keep = scores >= 0.25
    case("yolov10", {"out": tensor}, {"name": "out", "format": "yolov10"}, boxes[keep], scores[keep], kinds[keep])


def ssd():
    n = 40
    xywh = centres(n)
    boxes = corners(xywh)
    p = np.concatenate([np.full((n, 1), 0.01, np.float32), probabilities(n)], axis=1)
    best, kinds = p[:, 1:].max(1), p[:, 1:].argmax(1)
    keep = best >= 0.25
    boxes = np.clip(boxes, 0, [W, H, W, H]).astype(np.float32)
    fractions = (boxes / [W, H, W, H]).astype(np.float32)
    kb, ks, kk = boxes[keep], best[keep], kinds[keep]
    kept = nms(kb, ks, kk, 0.45)
    case("ssd with a background", {"boxes": fractions[None], "scores": p[None]},
         {"name": "scores", "format": "ssd", "boxes": "boxes"}, kb[kept], ks[kept], kk[kept])
    # TensorFlow's: suppressed already, top before left, classes from 1 on.
    order = kept
    tf = fractions[keep][order][:, [1, 0, 3, 2]][None]
    case("ssd of TensorFlow",
         {"detection_boxes": tf, "detection_scores": ks[order][None],
          "detection_classes": (kk[order] + 1).astype(np.float32)[None]},
         {"name": "detection_scores", "format": "ssd", "boxes": "detection_boxes",
          "classes": "detection_classes", "columns": ["top", "left", "bottom", "right"],
          "firstClass": 1, "iou": 1}, kb[order], ks[order], kk[order])


def detr():
    n = 25
    xywh = centres(n)
    fractions = (xywh / [W, H, W, H]).astype(np.float32)
    boxes = corners(fractions.astype(np.float64) * [W, H, W, H])
    logits = RNG.normal(-2, 1.5, (n, CLASSES)).astype(np.float32)
    p = 1 / (1 + np.exp(-logits.astype(np.float64)))
    best, kinds = p.max(1), p.argmax(1)
    keep = best >= 0.25
    case("detr with sigmoid", {"logits": logits[None], "pred_boxes": fractions[None]},
         {"name": "logits", "format": "detr", "boxes": "pred_boxes"}, boxes[keep], best[keep], kinds[keep])
    logits = np.concatenate([logits, np.zeros((n, 1), np.float32)], axis=1)
    e = np.exp(logits.astype(np.float64))
    p = (e / e.sum(1, keepdims=True))[:, :-1]
    best, kinds = p.max(1), p.argmax(1)
    keep = best >= 0.25
    case("detr with softmax and a class for nothing", {"logits": logits[None], "pred_boxes": fractions[None]},
         {"name": "logits", "format": "detr", "boxes": "pred_boxes", "activation": "softmax"},
         boxes[keep], best[keep], kinds[keep])
    # RT-DETR's export: it was told the frame's size and answers in its pixels.
    frame = np.clip(boxes / [W, H, W, H] * [FRAME_W, FRAME_H, FRAME_W, FRAME_H],
                    0, [FRAME_W, FRAME_H, FRAME_W, FRAME_H]).astype(np.float32)
    scores = RNG.uniform(0, 1, n).astype(np.float32)
    kinds = RNG.integers(0, CLASSES, n)
    keep = scores >= 0.25
    case("detr in pixels of the frame",
         {"labels": kinds.astype(np.int64)[None], "boxes": frame[None], "scores": scores[None]},
         {"name": "scores", "format": "detr", "boxes": "boxes", "classes": "labels"},
         frame[keep], scores[keep], kinds[keep], resize="fill",
         constants={"orig_target_sizes": "frameSize"})


def centernet():
    h, w = H // 4, W // 4
    heat = RNG.uniform(0, 0.1, (CLASSES, h, w)).astype(np.float32)
    for _ in range(8):
        c, y, x = RNG.integers(0, CLASSES), RNG.integers(0, h), RNG.integers(0, w)
        heat[c, y, x] = RNG.uniform(0.4, 0.9)
    sides = RNG.uniform(2, 20, (4, h, w)).astype(np.float32)
    padded = np.pad(heat, ((0, 0), (1, 1), (1, 1)), constant_values=-1)
    around = np.max([padded[:, dy : dy + h, dx : dx + w] for dy in range(3) for dx in range(3)], axis=0)
    peaks = np.argwhere((heat >= 0.3) & (heat == around))
    boxes = np.array([[4 * x - sides[0, y, x], 4 * y - sides[1, y, x],
                       4 * x + sides[2, y, x], 4 * y + sides[3, y, x]] for _, y, x in peaks])
    scores = np.array([heat[c, y, x] for c, y, x in peaks])
    case("centernet", {"heat": heat[None], "wh": sides[None]},
         {"name": "heat", "format": "centernet", "boxes": "wh", "threshold": 0.3},
         boxes, scores, peaks[:, 0])


def rows():
    n = 12
    boxes, scores = corners(centres(n)), RNG.uniform(0.3, 0.9, n).astype(np.float32)
    kinds = RNG.integers(0, CLASSES, n)
    tensor = np.concatenate([np.zeros((n, 1)), boxes, kinds[:, None], scores[:, None]], axis=1)
    columns = ["batch", "left", "top", "right", "bottom", "class", "score"]
    output = {"name": "out", "format": "rows", "columns": columns, "units": "pixels"}
    case("rows", {"out": tensor.astype(np.float32)}, output, boxes, scores, kinds)
    case("rows of float64", {"out": tensor}, output, boxes, scores, kinds)
    none = np.zeros((0, 7), np.float32)
    case("no rows", {"out": none}, output, np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))
    fraction = np.concatenate([centres(n) / [W, H, W, H], scores[:, None], kinds[:, None]], axis=1)
    fraction = fraction.astype(np.float32)
    case("rows of fractions from the middle", {"out": fraction[None]},
         {"name": "out", "format": "rows", "units": "fractions",
          "columns": ["x", "y", "width", "height", "score", "class"]},
         corners(fraction[:, :4] * np.array([W, H, W, H], np.float32)), scores, kinds)
    case("rows in tensors of their own",
         {"det_boxes": boxes[None].astype(np.float32), "det_scores": scores[None],
          "det_classes": kinds.astype(np.int32)[None]},
         {"name": "det_scores", "format": "rows", "boxes": "det_boxes", "classes": "det_classes",
          "units": "pixels"}, boxes, scores, kinds)


def grids(strides):
    """Where the cells of all grids are, and their strides."""
    parts = []
    for s in strides:
        ys, xs = np.mgrid[: -(-H // s), : -(-W // s)]
        parts.append(np.stack([xs, ys, np.full(xs.shape, s)], -1).reshape(-1, 3))
    return parts


def nanodet(name, strides, bins, middle, split):
    """Distances are the means of distributions; every class of a cell is an object of its own."""
    parts = grids(strides)
    cells = np.concatenate(parts).astype(np.float64)
    n = len(cells)
    scores = probabilities(n)
    scores[:4] = [0.9, 0.5, 0.1]
    logits = RNG.normal(0, 2, (n, 4, bins)).astype(np.float32)
    e = np.exp(logits.astype(np.float64))
    far = (e * np.arange(bins)).sum(-1) / e.sum(-1) * cells[:, 2:]
    at = (cells[:, :2] + middle) * cells[:, 2:]
    boxes = np.clip(np.concatenate([at - far[:, :2], at + far[:, 2:]], 1), 0, [W, H, W, H])
    rows, kinds = np.nonzero(scores >= 0.25)
    best = scores[rows, kinds]
    kept = nms(boxes[rows], best, kinds, 0.6)
    sides = logits.reshape(n, -1)
    ends = np.cumsum([len(part) for part in parts])[:-1]
    if split:
        tensors = {f"{key}{s}": part[None] for key, whole in (("cls", scores), ("dis", sides))
                   for s, part in zip(strides, np.split(whole, ends))}
        more = {"name": "cls8", "levels": [[f"cls{s}", f"dis{s}"] for s in strides]}
    else:
        tensors, more = {"out": np.concatenate([scores, sides], 1)[None]}, {"name": "out"}
    case(name, tensors, {"format": "nanodet", **more}, boxes[rows][kept], best[kept], kinds[kept])


def anchored(name, planes):
    """YOLOv5 before its boxes are decoded: logits for each anchor of each cell."""
    anchors = [[5, 6, 8, 14, 15, 11], [15, 30, 31, 22, 30, 45], [58, 45, 78, 60, 90, 60]]
    tensors, boxes, scores = {}, [], []
    for part, sizes, stride in zip(grids((8, 16, 32)), anchors, (8, 16, 32)):
        h, w = H // stride, W // stride
        raw = RNG.normal(-1.5, 1.5, (3, h, w, 5 + CLASSES)).astype(np.float32)
        tensors[f"grid{stride}"] = (raw.transpose(0, 3, 1, 2).reshape(-1, h, w) if planes else raw)[None]
        p = 1 / (1 + np.exp(-raw.astype(np.float64).reshape(3, h * w, -1)))
        xy = (2 * p[..., :2] - 0.5 + part[:, :2]) * stride
        wh = (2 * p[..., 2:4]) ** 2 * np.array(sizes).reshape(3, 1, 2)
        boxes.append(np.concatenate([xy, wh], -1).reshape(-1, 4))
        scores.append((p[..., 4:5] * p[..., 5:]).reshape(-1, CLASSES))
    boxes, scores = corners(np.concatenate(boxes)), np.concatenate(scores)
    best, kinds = scores.max(1), scores.argmax(1)
    keep = best >= 0.25
    boxes, best, kinds = boxes[keep], best[keep], kinds[keep]
    kept = nms(boxes, best, kinds, 0.45)
    levels = {"name": "grid8", "levels": list(tensors), "anchors": anchors}
    case(name, tensors, {"format": "yolov5", **levels}, boxes[kept], best[kept], kinds[kept])


yolov8("yolov8")
yolov8("yolov8 of float16", np.float16)
yolov8("yolov8, rows first", transposed=True)
yolov8("yolov8, across classes", agnostic=True)
yolov5()
yolox()
yolov10()
ssd()
detr()
centernet()
rows()
nanodet("nanodet-plus", (8, 16, 32, 64), 8, 0, split=False)
nanodet("nanodet, tensors of each grid", (8, 16, 32), 11, 0.5, split=True)
anchored("yolov5 before its boxes are decoded", planes=False)
anchored("yolov5 before its boxes are decoded, in planes", planes=True)
frame = {"width": FRAME_W, "height": FRAME_H, "inputWidth": W, "inputHeight": H}
(HERE / "heads_reference.json").write_text(json.dumps({"frame": frame, "cases": CASES}) + "\n")
print(len(CASES), "cases", (HERE / "heads_reference.json").stat().st_size, "bytes")
