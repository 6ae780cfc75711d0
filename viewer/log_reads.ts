// Reads ranges of a log's partitions, without waiting for future records.
import { Semaphore } from "../runtime/base/wait.ts";
import type { Frame } from "../runtime/definition/frame.ts";
import {
  LogError,
  type LogReader,
  type OffsetRange,
  type PartitionReader,
  type TopicLog,
} from "../runtime/log/log.ts";

const MOST_AT_ONCE = 8;
const READ_TIMEOUT_MS = 5_000;
/** Frames per read call; the reader buffers twice as many. */
const BATCH = 16;
const MAX_BUFFERED_BYTES = 2 * 1024 * 1024;

/** Where frames are: a lane, or a frame beside them. */
export type Partition = Pick<Frame, "topic" | "partition">;

/** Reads a log for a part of the viewer. */
export class LogReads {
  readonly log: TopicLog;
  readonly #slots = new Semaphore(MOST_AT_ONCE);
  readonly #signals: readonly AbortSignal[];
  #reader: Promise<LogReader> | undefined;

  /** @param signal cancels all reads */
  constructor(log: TopicLog, signal?: AbortSignal) {
    this.log = log;
    this.#signals = signal === undefined ? [] : [signal];
  }

  /** The first existing offset of a partition, and one past the last. */
  async offsets({ topic, partition }: Partition): Promise<OffsetRange> {
    return await this.log.offsets(topic, partition);
  }

  /** The existing frames in [from, to), at most `count`. */
  async read(of: Partition, from: number, to = Infinity, count = Infinity): Promise<Frame[]> {
    return await this.#slots.run(async () => {
      const { earliest, latest } = await this.offsets(of);
      const end = Math.min(to, latest);
      const start = Math.max(earliest, from);
      const frames: Frame[] = [];
      if (start >= end) return frames;
      const reader = await this.open(of, start);
      const signal = AbortSignal.any([...this.#signals, AbortSignal.timeout(READ_TIMEOUT_MS)]);
      try {
        while (frames.length < count) {
          const more = await reader.read(Math.min(count - frames.length, BATCH), signal, end);
          if (more.length === 0) break;
          for (const frame of more) if (frame.offset < end) frames.push(frame);
        }
      } finally {
        await reader.close();
      }
      return frames;
    });
  }

  /** Up to `count` frames, starting with the first captured at or after `time`. */
  async readFrom(of: Partition, time: number, count: number): Promise<Frame[]> {
    return await this.read(of, await this.offsetAt(of, time), Infinity, count);
  }

  /** The offset of the first frame captured at or after `time`. */
  async offsetAt({ topic, partition }: Partition, time: number): Promise<number> {
    return await this.#slots.run(() => this.log.offsetForTime(topic, partition, Math.ceil(time)));
  }

  /** The frame at `offset`, or the first one after it; undefined at the end of the log. */
  async source(of: Partition, offset: number): Promise<Frame | undefined> {
    return (await this.read(of, offset, Infinity, 1))[0];
  }

  /** The `count`th frame before `offset`, or the first one if there are fewer. */
  async lastBefore(of: Partition, offset: number, count = 1): Promise<Frame | undefined> {
    const { earliest, latest } = await this.offsets(of);
    const end = Math.min(offset, latest);
    // Offsets may have holes: search further back until there are enough frames.
    for (let reach = count;; reach *= 4) {
      const from = Math.max(earliest, end - reach);
      const frames = await this.read(of, from, end);
      if (frames.length >= count) return frames[frames.length - count];
      if (from <= earliest) return frames[0];
    }
  }

  /** The newest frame; undefined if there is none. */
  async newest(of: Partition): Promise<Frame | undefined> {
    return await this.lastBefore(of, (await this.offsets(of)).latest);
  }

  async open(
    { topic, partition }: Partition,
    offset: number,
    onProblem?: Parameters<LogReader["open"]>[3],
  ): Promise<PartitionReader> {
    this.#reader ??= this.log.reader({
      maxBufferedFrames: 2 * BATCH,
      maxBufferedBytes: MAX_BUFFERED_BYTES,
    });
    return await (await this.#reader).open(topic, partition, offset, onProblem);
  }

  /** Closes the reader, but not the log. */
  async close(): Promise<void> {
    await (await this.#reader)?.close();
  }
}

/**
 * The next frames of a reader before `end`, at most `count`; none at the end. Goes on behind frames that
 * retention has removed, and calls `onSkip` for them.
 */
export async function nextFrames(
  reader: PartitionReader,
  count: number,
  { signal, end = Infinity, onSkip = () => {} }: {
    readonly signal: AbortSignal;
    readonly end?: number;
    readonly onSkip?: () => void;
  },
): Promise<Frame[]> {
  while (true) {
    try {
      return await reader.read(count, signal, end === Infinity ? undefined : end);
    } catch (error) {
      if (!(error instanceof LogError) || error.code !== "OFFSET_OUT_OF_RANGE") throw error;
      const earliest = error.range?.earliest ?? -1;
      if (earliest >= end) return [];
      if (earliest <= reader.position) throw error;
      reader.seek(earliest);
      onSkip();
    }
  }
}
