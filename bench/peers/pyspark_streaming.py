"""PySpark Structured Streaming: one query a partition (assign), OpenCV in a pandas UDF, foreachBatch.

usage: pyspark_streaming.py BROKER TOPIC PARTITIONS FRAMES JARS [live]
"""
import json
import os
import sys
import tempfile
import threading
import time

# Spark's workers run in this environment too.
os.environ["PYSPARK_PYTHON"] = sys.executable
os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"

from pyspark.sql import SparkSession
from pyspark.sql.functions import col, pandas_udf
from pyspark.sql.types import BinaryType

from measure import Meter, greyscale, report

broker, topic, partitions, frames, jars = (
    sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5],
)
live = len(sys.argv) > 6
here = os.path.dirname(os.path.abspath(__file__))
spark = (
    SparkSession.builder.appName("peer")
    .master("local[*]")
    .config("spark.jars", ",".join(os.path.join(jars, j) for j in sorted(os.listdir(jars)) if j.endswith(".jar")))
    .config("spark.ui.enabled", "false")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.sql.shuffle.partitions", str(partitions))
    .config("spark.sql.execution.arrow.maxRecordsPerBatch", "64")
    .config("spark.executorEnv.PYTHONPATH", here)
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")
spark.sparkContext.addPyFile(os.path.join(here, "measure.py"))


@pandas_udf(BinaryType())
def grey(values):
    return values.map(greyscale)


meters = [Meter() for _ in range(partitions)]
lock = threading.Lock()
checkpoints = tempfile.mkdtemp()
queries = []
for partition in range(partitions):
    frames_of = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", broker)
        .option("assign", json.dumps({topic: [partition]}))
        .option("startingOffsets", json.dumps({topic: {str(partition): 0}}))
        .option("kafka.max.partition.fetch.bytes", 16 * 1024 * 1024)
    )
    if not live:
        frames_of = frames_of.option("maxOffsetsPerTrigger", 250)

    def sink(batch, _id, meter=meters[partition]):
        rows = batch.select(
            "offset", col("timestamp").cast("double").alias("captured"), grey("value").alias("jpeg")
        ).collect()
        for row in rows:
            meter.done(1, row.captured * 1000 if live else None)

    query = frames_of.load().writeStream.foreachBatch(sink).option(
        "checkpointLocation", os.path.join(checkpoints, str(partition))
    )
    queries.append(query.start())
if live:
    print("ready", file=sys.stderr, flush=True)
while sum(meter.frames for meter in meters) < frames:
    for query in queries:
        if query.exception():
            raise query.exception()
    time.sleep(0.02)
for query in queries:
    query.stop()
report([meter.result() for meter in meters if meter.frames > 0])
os._exit(0)
