"""Video that stays video, in Python: confluent-kafka and PyAV, a process for each partition.

usage: python_video.py decode BROKER TOPIC PARTITIONS FRAMES   access units of a topic to pictures
       python_video.py frame FILM.h264                         milliseconds of processor for a frame
"""
import json
import multiprocessing as mp
import sys
import time


def decoder():
    import av

    context = av.CodecContext.create("h264", "r")
    context.thread_count = 1
    context.options = {"flags": "low_delay"}
    return context


def work(broker, topic, partition, frames, results, ready):
    import av
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

    from measure import Meter

    context = decoder()
    consumer = Consumer({
        "bootstrap.servers": broker,
        "group.id": f"peer-{topic}",
        "enable.auto.commit": False,
        "fetch.max.bytes": 64 * 1024 * 1024,
        "max.partition.fetch.bytes": 16 * 1024 * 1024,
    })
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
    ready.release()
    meter = Meter()
    while meter.frames < frames:
        for message in consumer.consume(64, 1.0):
            if message.error():
                raise RuntimeError(message.error())
            for _ in context.decode(av.Packet(message.value())):
                meter.done()
            if meter.frames >= frames:
                break
    consumer.close()
    results.put(meter.result())


def decode(broker, topic, partitions, frames):
    from measure import run

    partitions, frames = int(partitions), int(frames)
    context = mp.get_context("spawn")
    results, ready = context.Queue(), context.Semaphore(0)
    share = frames // partitions
    # Low delay or not, the decoder may keep the last picture.
    workers = [
        context.Process(target=work, args=(broker, topic, p, share - 1, results, ready))
        for p in range(partitions)
    ]
    run(workers, ready, results)


def frame(path):
    """The stream taken apart into units; each decoded; each made an RGB array; each made a JPEG."""
    import av
    import cv2

    cv2.setNumThreads(1)

    def cost(run):
        run(20)
        before = time.process_time()
        count = run(150)
        return (time.process_time() - before) * 1000 / count

    def parts(most):
        with av.open(path, format="h264") as container:
            return [p for p in container.demux(video=0) if p.size][:most]

    units = [bytes(p) for p in parts(150)]

    def pictures(most, use):
        context, count = decoder(), 0
        for unit in units[:most]:
            for picture in context.decode(av.Packet(unit)):
                use(picture)
                count += 1
        return max(1, count)

    print(json.dumps({
        "copy": cost(lambda n: len(parts(n))),
        "decode": cost(lambda n: pictures(n, lambda _: None)),
        "jpeg": cost(lambda n: pictures(n, lambda p: cv2.imencode(".jpg", p.to_ndarray(format="bgr24"), [1, 80]))),
    }))


if __name__ == "__main__":
    {"decode": decode, "frame": frame}[sys.argv[1]](*sys.argv[2:])
