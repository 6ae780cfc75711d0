"""Follows objects with the ByteTrack of supervision, and scores tracks with motmetrics and trackeval.

  tracking.py reference OUT.json   the sequences of tests/queries/operators/track, for the tests
  tracking.py follow [FILM.json]   prints the sequences, and the film whose detections the file holds,
                                   with the truth and the tracks of the reference; of a film, whose
                                   truth is not known, these are the truth
  tracking.py score OURS.json      prints MOTA, IDF1 and HOTA of `ours` and of the reference

Walkers cross a picture of 640x360, hide behind each other and a pillar; detections tremble, fail, and
fall in score where a walker is hidden; there is some noise.
"""
import json
import pathlib
import sys

import numpy as np

W, H, FRAMES, FPS = 640, 360, 300, 30


def sequence(seed, walkers, noise):
    rng = np.random.default_rng(seed)
    paths = []
    for i in range(walkers):
        start, stop = sorted(rng.integers(0, FRAMES, 2))
        if stop - start < 80:
            start, stop = max(0, start - 60), min(FRAMES, stop + 60)
        size = rng.uniform(50, 110)
        x0, x1 = rng.uniform(0, W, 2)
        y0, y1 = rng.uniform(80, H - 60, 2)
        sway = rng.uniform(0, 12)
        paths.append((start, stop, size, x0, x1, y0, y1, sway))
    truth, seen = [], []
    for f in range(FRAMES):
        boxes = []
        for i, (start, stop, size, x0, x1, y0, y1, sway) in enumerate(paths):
            if not start <= f < stop:
                continue
            t = (f - start) / (stop - start)
            x = x0 + t * (x1 - x0) + sway * np.sin(f / 9 + i)
            y = y0 + t * (y1 - y0)
            boxes.append((i, np.array([x - size / 5, y - size / 2, x + size / 5, y + size / 2])))
        truth.append([[i, *map(float, box)] for i, box in boxes])
        frame = []
        # Who stands lower stands in front.
        for i, box in sorted(boxes, key=lambda b: -b[1][3]):
            hidden = 0.0
            for j, other in boxes:
                if j == i or other[3] <= box[3]:
                    continue
                low, high = np.maximum(box[:2], other[:2]), np.minimum(box[2:], other[2:])
                hidden = max(hidden, float(np.prod(np.clip(high - low, 0, None)) / np.prod(box[2:] - box[:2])))
            if 300 < (box[0] + box[2]) / 2 < 330:
                hidden = max(hidden, 0.85)
            if rng.uniform() < 0.03 + 0.5 * max(0, hidden - 0.4):
                continue
            score = np.clip(0.85 - 0.75 * hidden + rng.normal(0, 0.07), 0.05, 0.99)
            jitter = rng.normal(0, noise, 4)
            frame.append([*[round(float(v), 1) for v in box + jitter], round(float(score), 3)])
        while rng.uniform() < 0.08:
            x, y, s = rng.uniform(0, W), rng.uniform(0, H), rng.uniform(20, 80)
            frame.append([round(x, 1), round(y, 1), round(x + s / 2, 1), round(y + s, 1), round(rng.uniform(0.1, 0.5), 3)])
        seen.append(frame)
    return truth, seen


def follow(frames, fps):
    import supervision as sv
    from supervision.tracker.byte_tracker.core import ByteTrack

    tracker = ByteTrack(frame_rate=fps)
    ids = []
    for frame in frames:
        boxes = np.array(frame, np.float32).reshape(-1, 5)
        tracks = tracker.update_with_tensors(boxes)
        found = [0] * len(frame)
        # A track that was seen in this frame lies on the detection that it was updated with.
        for track in tracks:
            if track.frame_id != tracker.frame_id or not len(frame):
                continue
            low, high = np.maximum(boxes[:, :2], track.tlbr[:2]), np.minimum(boxes[:, 2:4], track.tlbr[2:])
            inter = np.prod(np.clip(high - low, 0, None), axis=1)
            area = np.prod(boxes[:, 2:4] - boxes[:, :2], axis=1) + np.prod(track.tlbr[2:] - track.tlbr[:2])
            same = np.where(boxes[:, 4] == np.float32(track.score), inter / (area - inter), -1)
            found[int(np.argmax(same))] = int(track.external_track_id)
        ids.append(found)
    return ids


def metrics(truth, frames, ids):
    import motmetrics as mm
    from trackeval.metrics import HOTA

    np.asfarray = getattr(np, "asfarray", lambda a: np.asarray(a, float))
    acc = mm.MOTAccumulator(auto_id=True)
    gts, trs, sims = [], [], []
    for people, frame, own in zip(truth, frames, ids):
        kept = [(i, box[:4]) for i, box in zip(own, frame) if i]
        a = np.array([p[1:] for p in people]).reshape(-1, 4)
        b = np.array([box for _, box in kept]).reshape(-1, 4)
        low = np.maximum(a[:, None, :2], b[None, :, :2])
        high = np.minimum(a[:, None, 2:], b[None, :, 2:])
        inter = np.prod(np.clip(high - low, 0, None), axis=2)
        area = lambda x: np.prod(x[:, 2:] - x[:, :2], axis=1)
        iou = inter / (area(a)[:, None] + area(b)[None] - inter)
        acc.update([p[0] for p in people], [i for i, _ in kept], np.where(iou >= 0.5, 1 - iou, np.nan))
        gts.append(np.array([p[0] for p in people], int))
        trs.append(np.array([i for i, _ in kept], int))
        sims.append(iou)
    summary = mm.metrics.create().compute(acc, metrics=["mota", "idf1"], name="x").iloc[0]
    known = {i: n for n, i in enumerate(sorted({int(i) for t in trs for i in t}))}
    data = {
        "num_timesteps": len(gts), "gt_ids": gts,
        "tracker_ids": [np.array([known[int(i)] for i in t], int) for t in trs],
        "similarity_scores": sims,
        "num_gt_ids": max((int(g.max()) for g in gts if len(g)), default=-1) + 1,
        "num_tracker_ids": len(known),
        "num_gt_dets": sum(map(len, gts)), "num_tracker_dets": sum(map(len, trs)),
    }
    hota = float(np.mean(HOTA().eval_sequence(data)["HOTA"]))
    return {"MOTA": round(float(summary["mota"]), 4), "IDF1": round(float(summary["idf1"]), 4), "HOTA": round(hota, 4)}


SEQUENCES = [("few", 1, 6, 1.0), ("crowd", 2, 18, 1.5), ("trembling", 3, 10, 4.0)]


def synthetic():
    for name, seed, walkers, noise in SEQUENCES:
        truth, frames = sequence(seed, walkers, noise)
        yield {"name": name, "fps": FPS, "frames": frames, "truth": truth, "tracks": follow(frames, FPS)}


def film(path):
    given = json.loads(pathlib.Path(path).read_text())
    tracks = follow(given["frames"], round(given["fps"]))
    truth = [
        [[i, *row[:4]] for i, row in zip(ids, rows) if i] for ids, rows in zip(tracks, given["frames"])
    ]
    return {**given, "truth": truth, "tracks": tracks}


def main(action, path=None):
    if action == "reference":
        kept = [{key: one[key] for key in ("name", "frames", "tracks")} for one in synthetic()]
        text = json.dumps({"fps": FPS, "sequences": kept}, separators=(",", ":"))
        pathlib.Path(path).write_text(text + "\n")
    elif action == "follow":
        print(json.dumps([*synthetic(), *([film(path)] if path else [])]))
    else:
        rows = [
            {
                "name": one["name"],
                "reference": metrics(one["truth"], one["frames"], one["tracks"]),
                "ours": metrics(one["truth"], one["frames"], one["ours"]),
            }
            for one in json.loads(pathlib.Path(path).read_text())
        ]
        print(json.dumps(rows))


main(*sys.argv[1:])
