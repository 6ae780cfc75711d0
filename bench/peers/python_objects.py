"""The best Python for objects: confluent-kafka, OpenCV and ONNX Runtime, a process for each partition.

usage: python_objects.py BROKER TOPIC PARTITIONS FRAMES MODEL.onnx
       python_objects.py - DIR PROCESSES FRAMES MODEL.onnx   the model alone, on one picture of DIR
"""
import multiprocessing as mp
import pathlib
import sys

broker, topic, partitions, frames, model = (
    sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
)
SIDE, THRESHOLD = 384, 0.3
#: Frames before the clock starts, as of the lanes that this is compared with.
WARM_UP = 20


def detector():
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def tensor(jpeg):
    import cv2
    import numpy as np

    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    small = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    return cv2.cvtColor(small, cv2.COLOR_BGR2RGB).astype(np.float32)[None], picture.shape


def objects(heat, sides, shape):
    """Peaks of the heat map with their boxes in pixels of the frame."""
    import cv2
    import numpy as np

    ys = []
    for kind in np.flatnonzero(heat.max(axis=(1, 2)) >= THRESHOLD):
        plane = heat[kind]
        peaks = (plane >= THRESHOLD) & (plane == cv2.dilate(plane, np.ones((3, 3), np.uint8)))
        for y, x in np.argwhere(peaks):
            left, top, right, bottom = sides[:, y, x]
            box = [4 * x - left, 4 * y - top, 4 * x + right, 4 * y + bottom]
            sx, sy = shape[1] / SIDE, shape[0] / SIDE
            ys.append((int(kind), float(plane[y, x]), [box[0] * sx, box[1] * sy, box[2] * sx, box[3] * sy]))
    return ys


def work(partition, results, ready):
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

    from measure import Meter

    session = detector()
    consumer = Consumer({
        "bootstrap.servers": broker,
        "group.id": f"peer-{topic}",
        "enable.auto.commit": False,
        "fetch.max.bytes": 64 * 1024 * 1024,
        "max.partition.fetch.bytes": 16 * 1024 * 1024,
        "queued.max.messages.kbytes": 65536,
    })
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
    ready.release()
    meter = Meter(WARM_UP)
    while meter.frames < frames // partitions:
        for message in consumer.consume(16, 1.0):
            if message.error():
                raise RuntimeError(message.error())
            picture, shape = tensor(message.value())
            heat, sides = session.run(["keypoints", "wh"], {"image": picture})
            objects(heat[0], sides[0], shape)
            meter.done()
    consumer.close()
    results.put(meter.result())


def alone(partition, results, ready):
    from measure import Meter

    session = detector()
    picture, _ = tensor(next(pathlib.Path(topic).glob("*.jpg")).read_bytes())
    ready.release()
    meter = Meter(WARM_UP)
    while meter.frames < frames // partitions:
        session.run(["keypoints", "wh"], {"image": picture})
        meter.done()
    results.put(meter.result())


if __name__ == "__main__":
    from measure import run

    context = mp.get_context("spawn")
    results, ready = context.Queue(), context.Semaphore(0)
    target = alone if broker == "-" else work
    workers = [context.Process(target=target, args=(p, results, ready)) for p in range(partitions)]
    run(workers, ready, results)
