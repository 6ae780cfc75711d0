// One trial of the Kafka sweep: real frames through the cameras' publisher into a topic, and through
// Framelane's reader out of it.
import { frameHeaders } from "../../cameras/camera.ts";
import { FramePublisher } from "../../cameras/publisher.ts";
import { systemClock } from "../../runtime/base/clock.ts";
import { cameraOfPartition } from "../../runtime/definition/frame.ts";
import type { Compression, LogRecord, TopicLog } from "../../runtime/log/log.ts";
import { cpuSeconds } from "./process_stats.ts";
import { percentile } from "./stats.ts";

export interface Setting {
  readonly batchBytes: number;
  readonly lingerMs: number;
  readonly compression: Compression;
}

export interface TrialBed {
  readonly log: TopicLog;
  /** Encoded images; used over and over. */
  readonly frames: readonly Uint8Array[];
  readonly partitions: number;
}

/** What one side of a trial did. */
export type Figures = Readonly<Record<(typeof COLUMNS)[number], number>>;

/** The figures of a side, in the order of the tables' columns. */
export const COLUMNS = [
  "messages",
  "seconds",
  "seconds_per_message",
  "messages_per_second",
  "mb_per_second",
  "latency_p50_ms",
  "latency_p99_ms",
  "cpu_ms_per_message",
  "errors",
  "lag_frames",
  "messages_per_batch",
] as const;

const READ_AT_MOST = 64;
const now = () => performance.now();

/** Sums of one side, while it works. */
class Side {
  readonly #started = now();
  readonly #cpu = cpuSeconds();
  readonly latencyMs: number[] = [];
  bytes = 0;
  errors = 0;
  lag = 0;
  batches = NaN;

  figures(): Figures {
    const seconds = (now() - this.#started) / 1000;
    const messages = this.latencyMs.length;
    const round = (value: number) => Number(value.toPrecision(4));
    return {
      messages,
      seconds: round(seconds),
      seconds_per_message: round(seconds / messages),
      messages_per_second: round(messages / seconds),
      mb_per_second: round(this.bytes / 1e6 / seconds),
      latency_p50_ms: round(percentile(this.latencyMs, 0.5)),
      latency_p99_ms: round(percentile(this.latencyMs, 0.99)),
      cpu_ms_per_message: round((cpuSeconds() - this.#cpu) * 1000 / messages),
      errors: this.errors,
      lag_frames: this.lag,
      messages_per_batch: round(messages / this.batches),
    };
  }
}

/**
 * Publishes `count` frames to each partition and reads them: without `fps` as fast as possible, then
 * reading all; with it at the cameras' pace, reading along. Latency is from handing a frame to the
 * publisher until the log acknowledged it (producer) or the reader had it (consumer; of a backlog,
 * from the start of reading).
 */
export async function trial(
  bed: TrialBed,
  topic: string,
  setting: Setting,
  { count, fps }: { readonly count: number; readonly fps?: number },
): Promise<{ producer: Figures; consumer: Figures }> {
  await bed.log.createTopic(topic, bed.partitions);
  const sent = Array.from({ length: bed.partitions }, () => new Float64Array(count));
  if (fps === undefined) {
    const producer = await produce(bed, topic, setting, sent);
    const started = now();
    for (const times of sent) times.fill(started);
    return { producer, consumer: await consume(bed, topic, sent) };
  }
  const reading = consume(bed, topic, sent);
  const producer = await produce(bed, topic, setting, sent, fps);
  return { producer, consumer: await reading };
}

/** A camera's publisher for each partition, until all is in the log. */
async function produce(
  { log, partitions, frames }: TrialBed,
  topic: string,
  { batchBytes, lingerMs, compression }: Setting,
  sent: readonly Float64Array[],
  fps?: number,
): Promise<Figures> {
  const producer = await log.producer({ compression });
  const publishers = sent.map((_, partition) =>
    new FramePublisher({
      ...{ log, producer, topic, partition, batchBytes, lingerMs, clock: systemClock },
      report() {},
    })
  );
  await Promise.all(publishers.map(({ ready }) => ready));
  const side = new Side();
  const start = now() + 50;
  await Promise.all(sent.map(async (times, partition) => {
    for (let seq = 0; seq < times.length; seq++) {
      if (fps !== undefined) {
        // Cameras do not tick together.
        const due = start + (seq + partition / partitions) * 1000 / fps;
        await systemClock.sleep(Math.max(0, due - now()));
      }
      const taken = times[seq] = now();
      await publishers[partition]!.publish({
        record: recordOf(frames, partition, seq),
        delivered: () => void side.latencyMs.push(now() - taken),
      });
    }
  }));
  await Promise.all(publishers.map((publisher) => publisher.flush()));
  side.batches = 0;
  for (const { stats } of publishers) {
    side.batches += stats.batches;
    side.bytes += stats.bytes;
    side.errors += stats.dropped + stats.retries;
    side.lag += stats.buffered;
  }
  const figures = side.figures();
  await Promise.all(publishers.map((publisher) => publisher.close()));
  await producer.close();
  return figures;
}

/** Reads every partition from its beginning and compares each frame's number and length. */
async function consume(
  { log, frames }: TrialBed,
  topic: string,
  sent: readonly Float64Array[],
): Promise<Figures> {
  const side = new Side();
  const reader = await log.reader();
  try {
    await Promise.all(sent.map(async (times, partition) => {
      const records = await reader.open(topic, partition, 0);
      let seq = 0;
      while (seq < times.length) {
        const got = await records.read(Math.min(READ_AT_MOST, times.length - seq));
        const at = now();
        for (const { value, headers } of got) {
          const { length } = frames[seq % frames.length]!;
          if (headers["seq"] !== String(seq) || value.length !== length) side.errors++;
          side.latencyMs.push(at - times[seq]!);
          side.bytes += value.length;
          seq++;
        }
      }
      // Frames beyond the last one are duplicates.
      const { latest } = await log.offsets(topic, partition);
      side.lag += latest - records.position;
    }));
  } finally {
    await reader.close();
  }
  return side.figures();
}

function recordOf(frames: readonly Uint8Array[], partition: number, seq: number): LogRecord {
  return {
    key: cameraOfPartition(partition),
    value: frames[seq % frames.length]!,
    timestamp: Date.now(),
    headers: frameHeaders({ contentType: "image/jpeg", width: 640, height: 480 }, "bench", seq),
  };
}
