"""The best Python: confluent-kafka and OpenCV, a process for each partition.

usage: python_best.py BROKER TOPIC PARTITIONS FRAMES [live|windows]
"""
import multiprocessing as mp
import sys

broker, topic, partitions, frames = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
mode = sys.argv[5] if len(sys.argv) > 5 else "backlog"


def work(partition, results, ready):
    import cv2
    import numpy as np
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

    from measure import Meter, greyscale

    consumer = Consumer(
        {
            "bootstrap.servers": broker,
            "group.id": f"peer-{topic}",
            "enable.auto.commit": False,
            "fetch.max.bytes": 64 * 1024 * 1024,
            "max.partition.fetch.bytes": 16 * 1024 * 1024,
            "queued.max.messages.kbytes": 65536,
            "fetch.wait.max.ms": 100,
        }
    )
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
    ready.release()
    meter = Meter()
    window = []
    # Decoded once, into memory that is used again.
    tensors = np.empty((16, 224, 224, 3), np.float32)
    while meter.frames < frames // partitions:
        for message in consumer.consume(64, 1.0):
            if message.error():
                raise RuntimeError(message.error())
            if mode == "windows":
                # Decoded at half size, which is enough for 224: the fastest that OpenCV has.
                picture = cv2.imdecode(
                    np.frombuffer(message.value(), np.uint8), cv2.IMREAD_REDUCED_COLOR_2
                )
                small = cv2.resize(picture, (224, 224), interpolation=cv2.INTER_LINEAR)
                rgb = cv2.cvtColor(small, cv2.COLOR_BGR2RGB)
                window.append(np.multiply(rgb, np.float32(1 / 255), dtype=np.float32))
                if len(window) == 16:
                    np.stack(window, out=tensors)
                    window = window[8:]
                meter.done()
            else:
                greyscale(message.value())
                meter.done(1, message.timestamp()[1] if mode == "live" else None)
    consumer.close()
    results.put(meter.result())


if __name__ == "__main__":
    from measure import run

    context = mp.get_context("spawn")
    results, ready = context.Queue(), context.Semaphore(0)
    workers = [context.Process(target=work, args=(p, results, ready)) for p in range(partitions)]
    run(workers, ready, results, announced=mode == "live")
