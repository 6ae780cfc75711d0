"""The classic Python job: kafka-python and OpenCV, one consumer for all partitions.

usage: python_classic.py BROKER TOPIC PARTITIONS FRAMES [live]
"""
import sys

from kafka import KafkaConsumer, TopicPartition

from measure import Meter, greyscale, report

broker, topic, partitions, frames = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
live = len(sys.argv) > 5
consumer = KafkaConsumer(
    bootstrap_servers=broker,
    enable_auto_commit=False,
    max_partition_fetch_bytes=16 * 1024 * 1024,
    fetch_max_bytes=64 * 1024 * 1024,
)
assigned = [TopicPartition(topic, p) for p in range(partitions)]
consumer.assign(assigned)
for partition in assigned:
    consumer.seek(partition, 0)
if live:
    print("ready", file=sys.stderr, flush=True)
meter = Meter()
for message in consumer:
    greyscale(message.value)
    meter.done(1, message.timestamp if live else None)
    if meter.frames >= frames:
        break
consumer.close()
report([meter.result()])
