// Publishes a camera's frames to its partition: batches them, waits for an unavailable log, and
// counts dropped frames.
import { messageOf } from "../runtime/base/errors.ts";
import type { Clock } from "../runtime/base/clock.ts";
import { given } from "../runtime/base/options.ts";
import { checkRecord } from "../runtime/log/checks.ts";
import { LogError, type LogProducer, type TopicLog } from "../runtime/log/log.ts";
import {
  type DropReason,
  FrameBuffer,
  type Overflow,
  type PublisherFrame,
} from "./frame_buffer.ts";
import { Notifier, retry, waitAtMost } from "../runtime/base/wait.ts";

export interface PublisherOptions {
  readonly log: TopicLog;
  readonly producer: LogProducer;
  readonly topic: string;
  readonly partition: number;
  /** How many frames may wait for the log, without those being sent; 128 by default. */
  readonly bufferFrames?: number | undefined;
  /** How long a batch may wait for more frames, milliseconds; 0 by default. */
  readonly lingerMs?: number;
  /** The largest batch; 896 KiB by default. */
  readonly batchBytes?: number | undefined;
  readonly clock: Clock;
  /** Prints a message for the user when the log becomes unavailable or returns. */
  readonly report: (message: string) => void;
}

export interface PublisherStats {
  readonly published: number;
  /** Bytes of the published values. */
  readonly bytes: number;
  readonly dropped: number;
  readonly droppedBy: Readonly<Record<DropReason, number>>;
  /** Attempts that the log did not accept. */
  readonly retries: number;
  readonly batches: number;
  /** Frames waiting and frames being sent. */
  readonly buffered: number;
  /** Capture time of the newest published frame, epoch milliseconds. */
  readonly lastTimestamp?: number;
}

/** Kafka brokers reject batches above 1 MB by default. */
export const DEFAULT_BATCH_BYTES = 896 * 1024;
/** Four seconds at 30 frames/s. */
export const DEFAULT_BUFFER_FRAMES = 128;
const CLOSE_MS = 500;

/** Publishes the frames of one camera, in order, one batch at a time. */
export class FramePublisher {
  readonly #options: PublisherOptions;
  readonly #waiting: FrameBuffer;
  readonly #stop = new AbortController();
  #running: Promise<void>;
  #sending = 0;
  #published = 0;
  #bytes = 0;
  #retries = 0;
  #batches = 0;
  #lastTimestamp: number | undefined;
  #failure: unknown;
  #flushing = false;
  #closed = false;
  readonly #changed = new Notifier();
  #ready = Promise.withResolvers<void>();

  constructor(options: PublisherOptions) {
    const { bufferFrames = DEFAULT_BUFFER_FRAMES, batchBytes = DEFAULT_BATCH_BYTES } = options;
    this.#options = options;
    this.#waiting = new FrameBuffer(bufferFrames, batchBytes);
    this.#running = this.#start();
  }

  #start(): Promise<void> {
    return this.#run().catch((error) => {
      this.#failure = error ?? new Error("Cannot publish");
      this.#drop();
      this.#ready.resolve();
      this.#changed.notify();
    });
  }

  /** Begins again after an error that ended it; what was waiting then is dropped and counted. */
  recover(): void {
    if (this.#failure === undefined) return;
    this.#failure = undefined;
    this.#ready = Promise.withResolvers();
    this.#running = this.#start();
  }

  /** Resolves when the partition exists, or cannot be created. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  get stats(): PublisherStats {
    return {
      published: this.#published,
      bytes: this.#bytes,
      dropped: Object.values(this.#waiting.dropped).reduce((sum, count) => sum + count, 0),
      droppedBy: { ...this.#waiting.dropped },
      retries: this.#retries,
      batches: this.#batches,
      buffered: this.#waiting.length + this.#sending,
      ...given({ lastTimestamp: this.#lastTimestamp }),
    };
  }

  /**
   * Adds a frame to the buffer. With `wait` the promise resolves when there is room for it.
   *
   * @throws the log's error, if it will never accept a frame of this camera, or not this one: a source of the
   * user's own may give it headers of any type.
   * @throws the signal's reason if it aborts while waiting: the frame was not added.
   */
  async publish(
    frame: PublisherFrame,
    overflow: Overflow = "wait",
    signal?: AbortSignal,
  ): Promise<void> {
    this.#throwFailure();
    if (this.#stop.signal.aborted) throw new Error("Cannot publish: the publisher is closed");
    checkRecord(frame.record);
    while (!this.#waiting.offer(frame, overflow)) await this.#change(signal);
    this.#changed.notify();
  }

  /**
   * Waits until the log has stored all frames.
   *
   * @throws as `publish` does.
   */
  async flush(signal?: AbortSignal): Promise<void> {
    this.#flushing = true;
    this.#changed.notify();
    try {
      while (this.#waiting.length + this.#sending > 0) await this.#change(signal);
      this.#throwFailure();
    } finally {
      this.#flushing = false;
    }
  }

  /** Stops now. Unconfirmed frames count as dropped; a hanging attempt is abandoned. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#changed.notify();
    await waitAtMost(CLOSE_MS, this.#running, this.#options.clock);
    this.#closed = true;
    this.#drop();
  }

  /** Drops all frames that the log has not confirmed. */
  #drop(): void {
    this.#waiting.dropped.stopped += this.#sending;
    this.#waiting.clear("stopped");
    this.#sending = 0;
  }

  async #run(): Promise<void> {
    const { topic, partition, report } = this.#options;
    // Frames of a batch that was too large are sent one by one.
    let singly = 0;
    await this.#untilAccepted(() => this.#createPartition());
    this.#ready.resolve();
    while (!this.#stop.signal.aborted) {
      if (this.#waiting.length === 0) {
        await this.#changed.wait();
        continue;
      }
      await this.#linger();
      const batch = this.#waiting.nextBatch(singly > 0);
      // All of them may have been dropped meanwhile.
      if (batch.length === 0) continue;
      singly -= batch.length;
      this.#sending = batch.length;
      this.#changed.notify();
      const records = batch.map(({ record }) => record);
      const first = await this.#untilAccepted(() =>
        this.#options.producer.append(topic, partition, records)
      );
      if (first === "stopped") return;
      if (first !== "too large") await this.#count(batch, first);
      else if (batch.length > 1) {
        this.#waiting.putBack(batch);
        singly = batch.length;
      } else {
        const { length } = records[0]!.value;
        report(`A frame of ${length} bytes is too large for the log and was dropped`);
        this.#waiting.dropped["too-large"]++;
        this.#waiting.dropDependents("too-large");
      }
      this.#sending = 0;
      this.#changed.notify();
    }
  }

  async #count(batch: readonly PublisherFrame[], first: number): Promise<void> {
    if (this.#closed) return;
    for (const [index, { record, delivered }] of batch.entries()) {
      this.#published++;
      this.#bytes += record.value.length;
      this.#lastTimestamp = record.timestamp;
      await delivered?.(first < 0 ? first : first + index);
    }
    this.#batches++;
  }

  /** Waits for more frames, unless the batch or the buffer is full or no more will come. */
  async #linger(): Promise<void> {
    const { lingerMs = 0, clock } = this.#options;
    const { signal } = this.#stop;
    const due = clock.monotonic() + lingerMs;
    while (!this.#flushing && !this.#waiting.fillsABatch && !this.#waiting.isFull) {
      const left = due - clock.monotonic();
      if (left <= 0 || signal.aborted) return;
      await waitAtMost(left, this.#changed.wait(), clock, signal);
    }
  }

  #createPartition(): Promise<number> {
    const { log, topic, partition } = this.#options;
    return log.createTopic(topic, partition + 1);
  }

  /** Retries until the log accepts it. Recreates a topic that was deleted. */
  async #untilAccepted(attempt: () => Promise<number>): Promise<number | "too large" | "stopped"> {
    const { log, clock, report } = this.#options;
    const { signal } = this.#stop;
    const since = clock.monotonic();
    let failed = false;
    try {
      const result = await retry(async () => {
        try {
          return await attempt();
        } catch (error) {
          if (!isMissing(error)) throw error;
          await this.#createPartition();
          return await attempt();
        }
      }, {
        clock,
        signal,
        onRetry: (error) => {
          this.#retries++;
          if (!failed) report(`${messageOf(error)}; waiting for it`);
          failed = true;
        },
      });
      if (failed) {
        const seconds = ((clock.monotonic() - since) / 1000).toFixed(1);
        report(`Log ${log.url} accepts frames again after ${seconds} s`);
      }
      return result;
    } catch (error) {
      if (signal.aborted) return "stopped";
      if (error instanceof LogError && error.code === "TOO_LARGE") return "too large";
      if (error instanceof LogError && error.code === "REFUSED") {
        report(error.message);
        return "too large";
      }
      throw error;
    }
  }

  async #change(signal?: AbortSignal): Promise<void> {
    this.#throwFailure();
    await this.#changed.wait(signal);
    this.#throwFailure();
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof LogError &&
    (error.code === "TOPIC_MISSING" || error.code === "PARTITION_MISSING");
}
