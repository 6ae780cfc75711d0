/**
 * One trial: real frames through the cameras' publisher into a topic and through Framelane's reader
 * out of it, once as fast as it goes and once at the pace of cameras.
 *
 * @module
 */
import { frameHeaders } from "../../cameras/frame_headers.ts";
import { FramePublisher, type PublisherStats } from "../../cameras/publisher.ts";
import { systemClock } from "../../runtime/base/clock.ts";
import { cameraOfPartition } from "../../runtime/definition/frame.ts";
import type { LogRecord, TopicLog } from "../../runtime/log/log.ts";
import { Meter, type Used } from "./meter.ts";
import type { Setting } from "./settings.ts";
import { WireMeter } from "./wire_meter.ts";

/**
 * - `burst`: everything is produced as fast as it goes, then everything is consumed;
 * - `live`: cameras publish at their pace while the reader follows.
 */
export type Load = "burst" | "live";

/** What one side of a trial did. */
export interface Figures extends Used {
  readonly messages: number;
  readonly bytes: number;
  /**
   * Milliseconds. Producer: from handing a frame over until the log has acknowledged it. Consumer:
   * from handing it over until the reader has it; of a backlog, from the begin of reading.
   */
  readonly latencyMs: readonly number[];
  /** Frames that failed, were lost, doubled, reordered or changed; attempts of the producer that did. */
  readonly errors: number;
  /** Frames that wait: consumer, the most that one partition was behind what the log has. */
  readonly lag: number;
  /** Frames that each partition got or gave. */
  readonly distribution: readonly number[];
  /** Batches, and what a frame takes in them once compressed. */
  readonly batches?: number;
  readonly wireBytes?: number;
}

/** Both sides of a trial. */
export interface TrialResult {
  readonly producer: Figures;
  readonly consumer: Figures;
}

/** What trials share. */
export interface TrialBed {
  readonly log: TopicLog;
  /** Encoded images; used over and over. */
  readonly frames: readonly Uint8Array[];
  readonly partitions: number;
  /** Process id of the broker, where it is ours. */
  readonly brokerPid?: number;
}

const READ_AT_MOST = 64;
const now = () => performance.now();

/** Publishes `count` frames as fast as the log takes them, then reads them all. */
export async function burst(
  bed: TrialBed,
  topic: string,
  setting: Setting,
  count: number,
): Promise<TrialResult> {
  await bed.log.createTopic(topic, bed.partitions);
  const producer = await withPublishers(bed, topic, setting, async (publish) => {
    const each = count / bed.partitions;
    await forEachPartition(bed, async (partition) => {
      for (let seq = 0; seq < each; seq++) await publish(partition, seq);
    });
  });
  const meter = new Meter(bed.brokerPid);
  const started = now();
  const read = await consume(
    bed,
    topic,
    producer.figures.distribution,
    (_, __, at) => at - started,
  );
  return { producer: producer.figures, consumer: { ...meter.stop(), ...read } };
}

/** Cameras at `fps` for so many seconds, read as they come. */
export async function live(
  bed: TrialBed,
  topic: string,
  setting: Setting,
  { fps, seconds }: { readonly fps: number; readonly seconds: number },
): Promise<TrialResult> {
  await bed.log.createTopic(topic, bed.partitions);
  const each = Math.round(fps * seconds);
  const sent = Array.from({ length: bed.partitions }, () => new Float64Array(each));
  const acknowledged = new Array<number>(bed.partitions).fill(0);
  const meter = new Meter(bed.brokerPid);
  let lag = 0;
  const reading = consume(
    bed,
    topic,
    new Array(bed.partitions).fill(each),
    (partition, seq, at) => at - sent[partition]![seq]!,
    (partition, position) => lag = Math.max(lag, acknowledged[partition]! - position),
  );
  const producer = await withPublishers(bed, topic, setting, async (publish) => {
    const start = now() + 50;
    await forEachPartition(bed, async (partition) => {
      // Cameras do not tick together.
      const phase = partition / bed.partitions / fps * 1000;
      for (let seq = 0; seq < each; seq++) {
        const wait = start + phase + seq * 1000 / fps - now();
        if (wait > 0) await systemClock.sleep(wait);
        sent[partition]![seq] = now();
        await publish(partition, seq, (offset) => {
          acknowledged[partition] = Math.max(acknowledged[partition]!, offset + 1);
        });
      }
    });
  });
  const consumer = await reading;
  const { cpuSeconds, brokerSeconds, seconds: took } = meter.stop();
  const shared = { cpuSeconds, ...(brokerSeconds === undefined ? {} : { brokerSeconds }) };
  return {
    producer: { ...producer.figures, ...shared },
    consumer: { ...consumer, seconds: took, ...shared, lag },
  };
}

type Publish = (
  partition: number,
  seq: number,
  delivered?: (offset: number) => void,
) => Promise<void>;

/** A camera's publisher for each partition, as `deno task camera` has it, until all is in the log. */
async function withPublishers(
  bed: TrialBed,
  topic: string,
  setting: Setting,
  work: (publish: Publish) => Promise<void>,
): Promise<{ figures: Figures }> {
  const { log, partitions } = bed;
  const { batchBytes, lingerMs, compression } = setting;
  const producer = await log.producer({ compression });
  const wire = new WireMeter(producer, setting);
  const publishers = Array.from({ length: partitions }, (_, partition) =>
    new FramePublisher({
      log,
      producer: wire,
      topic,
      partition,
      overflow: "wait",
      batchBytes,
      lingerMs,
      clock: systemClock,
      report() {},
    }));
  await Promise.all(publishers.map(({ ready }) => ready));
  const latencyMs: number[] = [];
  const meter = new Meter(bed.brokerPid);
  await work(async (partition, seq, delivered) => {
    const record = recordOf(bed.frames, partition, seq);
    const taken = now();
    await publishers[partition]!.publish({
      record,
      delivered(offset) {
        latencyMs.push(now() - taken);
        delivered?.(offset);
      },
    });
  });
  await Promise.all(publishers.map((publisher) => publisher.flush()));
  const used = meter.stop();
  const stats = publishers.map(({ stats }) => stats);
  await Promise.all(publishers.map((publisher) => publisher.close()));
  await producer.close();
  const sum = (pick: (of: PublisherStats) => number) =>
    stats.reduce((total, of) => total + pick(of), 0);
  return {
    figures: {
      ...used,
      messages: sum(({ published }) => published),
      bytes: sum(({ bytes }) => bytes),
      latencyMs,
      errors: sum(({ dropped, retries }) => dropped + retries),
      lag: sum(({ buffered }) => buffered),
      distribution: stats.map(({ published }) => published),
      batches: sum(({ batches }) => batches),
      wireBytes: wire.share() * sum(({ bytes }) => bytes) / sum(({ published }) => published),
    },
  };
}

/** Reads so many frames of each partition from its beginning, and looks whether they are right. */
async function consume(
  bed: TrialBed,
  topic: string,
  counts: readonly number[],
  latencyOf: (partition: number, seq: number, at: number) => number,
  onRead: (partition: number, position: number) => void = () => {},
): Promise<Omit<Figures, keyof Used>> {
  const reader = await bed.log.reader();
  const latencyMs: number[] = [];
  const distribution = counts.map(() => 0);
  let bytes = 0;
  let errors = 0;
  let lag = 0;
  try {
    await forEachPartition(bed, async (partition) => {
      const one = await reader.open(topic, partition, 0);
      const wanted = counts[partition]!;
      let seq = 0;
      while (seq < wanted) {
        const got = await one.read(Math.min(READ_AT_MOST, wanted - seq));
        const at = now();
        onRead(partition, one.position);
        for (const { value, headers } of got) {
          const { length } = bed.frames[seq % bed.frames.length]!;
          if (headers["seq"] !== String(seq) || value.length !== length) errors++;
          latencyMs.push(latencyOf(partition, seq, at));
          bytes += value.length;
          seq++;
        }
        distribution[partition] = seq;
      }
      // What is there beyond, was doubled.
      const { latest } = await bed.log.offsets(topic, partition);
      lag += latest - one.position;
    });
  } finally {
    await reader.close();
  }
  return {
    messages: distribution.reduce((sum, count) => sum + count, 0),
    bytes,
    latencyMs,
    errors,
    lag,
    distribution,
  };
}

function recordOf(frames: readonly Uint8Array[], partition: number, seq: number): LogRecord {
  return {
    key: cameraOfPartition(partition),
    value: frames[seq % frames.length]!,
    timestamp: Date.now(),
    headers: frameHeaders(
      { contentType: "image/jpeg", width: 640, height: 480 },
      "bench",
      seq,
    ),
  };
}

async function forEachPartition(
  { partitions }: TrialBed,
  work: (partition: number) => Promise<void>,
): Promise<void> {
  await Promise.all(Array.from({ length: partitions }, (_, partition) => work(partition)));
}
