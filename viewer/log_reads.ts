// Stretches of a log's partitions, read at once: what is not there yet is not waited for.
import { Semaphore } from "../runtime/base/wait.ts";
import type { Frame } from "../runtime/definition/frame.ts";
import type { LogReader, PartitionReader, TopicLog } from "../runtime/log/log.ts";

export interface LogReadsOptions {
  /** Reads at the same time. Default 8. */
  readonly concurrency?: number;
  /** How long one read may take, milliseconds. Default 5000. */
  readonly timeoutMs?: number;
  /** Ends all reading at once. */
  readonly signal?: AbortSignal;
}

/** Frames that are taken from a reader at a time, and that it holds ready. */
const BATCH = 16;
const MAX_BUFFERED_BYTES = 2 * 1024 * 1024;

/** Reads a log for the viewer; one for each of its parts. */
export class LogReads {
  readonly log: TopicLog;
  readonly #timeoutMs: number;
  readonly #slots: Semaphore;
  readonly #signals: readonly AbortSignal[];
  #reader: Promise<LogReader> | undefined;

  constructor(log: TopicLog, { concurrency = 8, timeoutMs = 5_000, signal }: LogReadsOptions = {}) {
    this.log = log;
    this.#timeoutMs = timeoutMs;
    this.#slots = new Semaphore(concurrency);
    this.#signals = signal === undefined ? [] : [signal];
  }

  /** The frames of [from, to) that are there, `count` at most. */
  async read(
    topic: string,
    partition: number,
    from: number,
    to = Infinity,
    count = Infinity,
  ): Promise<Frame[]> {
    return await this.#slots.run(async () => {
      const { earliest, latest } = await this.log.offsets(topic, partition);
      const end = Math.min(to, latest);
      const start = Math.max(earliest, from);
      const frames: Frame[] = [];
      if (start >= end) return frames;
      const reader = await this.open(topic, partition, start);
      const signal = AbortSignal.any([...this.#signals, AbortSignal.timeout(this.#timeoutMs)]);
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

  /** Up to `count` frames from the first one on that was captured at or after `time`. */
  async readFrom(topic: string, partition: number, time: number, count: number): Promise<Frame[]> {
    const from = await this.offsetAt(topic, partition, time);
    return await this.read(topic, partition, from, Infinity, count);
  }

  /** The first offset captured at or after `time`. */
  async offsetAt(topic: string, partition: number, time: number): Promise<number> {
    return await this.#slots.run(() => this.log.offsetForTime(topic, partition, Math.ceil(time)));
  }

  /** The frame at `offset`, or the first one after it; undefined at the end of the log. */
  async firstFrom(topic: string, partition: number, offset: number): Promise<Frame | undefined> {
    return (await this.read(topic, partition, offset, Infinity, 1))[0];
  }

  /** The `count`th frame before `offset`; the first one there is when there are fewer. */
  async lastBefore(
    topic: string,
    partition: number,
    offset: number,
    count = 1,
  ): Promise<Frame | undefined> {
    const { earliest } = await this.log.offsets(topic, partition);
    // Offsets may have holes: look further back until enough frames are found.
    for (let reach = count;; reach *= 4) {
      const from = Math.max(earliest, offset - reach);
      const frames = await this.read(topic, partition, from, offset);
      if (frames.length >= count) return frames[frames.length - count];
      if (from <= earliest) return frames[0];
    }
  }

  /** The newest frame; undefined when there is none. */
  async newest(topic: string, partition: number): Promise<Frame | undefined> {
    const { latest } = await this.log.offsets(topic, partition);
    return await this.lastBefore(topic, partition, latest);
  }

  /** A reader of the frames from `offset` on, for those who follow. */
  async open(...from: Parameters<LogReader["open"]>): Promise<PartitionReader> {
    this.#reader ??= this.log.reader({
      maxBufferedFrames: 2 * BATCH,
      maxBufferedBytes: MAX_BUFFERED_BYTES,
    });
    return await (await this.#reader).open(...from);
  }

  /** Closes the reader; the log itself is its owner's. */
  async close(): Promise<void> {
    await (await this.#reader)?.close();
  }
}
