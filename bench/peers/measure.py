"""What the Python peers have in common: greyscale with OpenCV, and how results are printed."""
import json
import os
import sys
import time

import cv2
import numpy as np

# OpenCV's own threads would only fight with the processes that are measured.
cv2.setNumThreads(1)

#: When this process was started, as the one that started it tells.
STARTED = float(os.environ.get("PEER_STARTED", time.time()))


def greyscale(jpeg: bytes) -> bytes:
    """A grey JPEG of the same size. Decodes straight to grey: the fastest that OpenCV has."""
    grey = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    return cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()


class Meter:
    """Counts frames; the steady time begins with the first frame that is done, or a later one."""

    def __init__(self, warm_up=0):
        self.frames = 0
        self.warm_up = warm_up
        self.first = None
        self.last = None
        self.processor = None
        self.latencies = []

    def done(self, frames=1, captured_ms=None):
        now = time.time()
        self.frames += frames
        if self.first is None and self.frames > self.warm_up:
            self.first = (now, self.frames)
            self.processor = time.process_time()
        self.last = now
        if captured_ms is not None:
            self.latencies.append(now * 1000 - captured_ms)

    def result(self):
        first, before = self.first or (STARTED, 0)
        return {
            "frames": self.frames,
            "first": first,
            "last": self.last or first,
            "steadyFrames": self.frames - before,
            "steadyProcessor": time.process_time() - (self.processor or 0),
            "latencies": self.latencies,
        }


def report(results):
    """Prints the results of one or several processes as one."""
    first = min(r["first"] for r in results)
    rate = sum(r["steadyFrames"] / max(1e-9, r["last"] - r["first"]) for r in results)
    frames = sum(r["steadyFrames"] for r in results)
    last = max(r["last"] for r in results)
    print(
        json.dumps(
            {
                "frames": sum(r["frames"] for r in results),
                "steadyFrames": frames,
                # Each process by its own clock: none waits for the start or the end of another.
                "steadySeconds": frames / max(1e-9, rate),
                "steadyProcessor": sum(r["steadyProcessor"] for r in results),
                "firstFrameSeconds": first - STARTED,
                "totalSeconds": last - STARTED,
                "latencies": [x for r in results for x in r["latencies"]],
            }
        )
    )
    sys.stdout.flush()


def run(processes, ready, results, announced=False):
    """Runs processes to their ends once all are ready, and prints their results as one."""
    for process in processes:
        process.start()
    for _ in processes:
        ready.acquire()
    if announced:
        print("ready", file=sys.stderr, flush=True)
    outcome = [results.get() for _ in processes]
    for process in processes:
        process.join()
    report(outcome)
