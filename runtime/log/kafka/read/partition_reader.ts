// Buffers the frames of one partition for its reader.
import type { Frame } from "../../../definition/frame.ts";
import { systemClock } from "../../../base/clock.ts";
import { Notifier } from "../../../base/wait.ts";
import { checkMost, checkWhole } from "../../checks.ts";
import { LogError, type PartitionReader, type ReadProblem } from "../../log.ts";
import { weightOf } from "../../records.ts";
import type { Leader } from "../net/cluster.ts";
import { toLogError } from "../net/failures.ts";
import { BatchDecoder, type Decoded, type FrameLimit } from "../records/decoder.ts";
import type { Epochs } from "./epochs.ts";
import type { FetchedPartition, FetchPartition } from "./fetch.ts";

export interface PartitionOwner {
  /** There is room again, or the offset changed. */
  changed(partition: BufferedPartition): void;
  closed(partition: BufferedPartition): void;
}

/** Of one partition in one response. */
const FETCH_BYTES = 4 * 1024 * 1024;
/** Longer open transactions of other producers are reported. */
const OPEN_TRANSACTION_MS = 5_000;

export class BufferedPartition implements PartitionReader, FetchPartition {
  readonly topic: string;
  readonly partition: number;
  /** `topic/partition` */
  readonly key: string;
  leader: Leader;
  inFlight = false;
  isClosed = false;
  /** Its leader is being looked up. */
  searching = false;
  /** Consecutive failed fetches. */
  failures = 0;
  status: "reading" | "waiting-for-log" = "reading";
  latest: number;
  /** Leader epoch of the last batch. */
  fetchedEpoch = -1;
  /** Counts seeks: responses to earlier requests are dropped. */
  version = 0;
  #fetchedVersion = 0;
  /** A nearer replica than the leader, until it fails. */
  replica: number | undefined;
  readonly #owner: PartitionOwner;
  readonly #onProblem: ((problem?: ReadProblem) => void) | undefined;
  #inTrouble = false;
  readonly #epochs: Epochs;
  readonly #bounds: FrameLimit;
  #frames: Frame[] = [];
  #bytes = 0;
  #position: number;
  #next: number;
  #error: LogError | undefined;
  /** Batches of the last fetch that are not decoded yet. */
  #rest: BatchDecoder | undefined;
  #heldSince: number | undefined;
  /** See `RecordCursor`. */
  readonly #texts: string[] = [];
  readonly #changes = new Notifier();

  constructor(
    owner: PartitionOwner,
    bounds: FrameLimit,
    of: {
      readonly topic: string;
      readonly partition: number;
      readonly offset: number;
      readonly leader: Leader;
      readonly epochs: Epochs;
      readonly onProblem?: ((problem?: ReadProblem) => void) | undefined;
    },
  ) {
    this.#onProblem = of.onProblem;
    this.#epochs = of.epochs;
    this.#owner = owner;
    this.#bounds = bounds;
    this.topic = of.topic;
    this.partition = of.partition;
    this.key = `${of.topic}/${of.partition}`;
    this.leader = of.leader;
    this.#position = this.#next = this.latest = of.offset;
    this.fetchedEpoch = of.epochs.before(of.topic, of.partition, of.offset);
  }

  /** @param problem undefined when it is over */
  reportProblem(problem?: ReadProblem): void {
    if (problem === undefined && !this.#inTrouble) return;
    this.#inTrouble = problem !== undefined;
    this.#onProblem?.(problem);
  }

  get buffered(): number {
    return this.#frames.length;
  }

  get position(): number {
    // Includes holes after the last frame.
    return this.buffered === 0 ? this.#next : this.#position;
  }

  /** Offset of the next fetch. */
  get offset(): number {
    return this.#next;
  }

  /** Changes when the topic is deleted and created again. */
  get topicId(): string {
    return this.leader.topicId;
  }

  get leaderEpoch(): number {
    return this.leader.epoch;
  }

  get maxBytes(): number {
    return Math.max(1, Math.min(this.#room.bytes, FETCH_BYTES));
  }

  startFetch(): void {
    this.inFlight = true;
    this.#fetchedVersion = this.version;
  }

  /** Not after a seek, nor when it is closed. */
  get awaitsFetch(): boolean {
    return this.#fetchedVersion === this.version;
  }

  /** Whether more may be fetched now: not while the buffer is more than half full. */
  get hasRoom(): boolean {
    return !this.isClosed && this.#rest === undefined && this.#error === undefined &&
      this.#isHalfEmpty;
  }

  get #isHalfEmpty(): boolean {
    return this.buffered === 0 ||
      (2 * this.buffered <= this.#bounds.frames && 2 * this.#bytes <= this.#bounds.bytes);
  }

  /** What fits into the buffer. */
  get #room(): FrameLimit {
    return {
      frames: this.#bounds.frames - this.buffered,
      bytes: this.#bounds.bytes - this.#bytes,
    };
  }

  async read(max: number, signal?: AbortSignal, until = Infinity): Promise<Frame[]> {
    checkMost(this.key, max);
    for (;;) {
      signal?.throwIfAborted();
      if (this.isClosed) {
        throw new LogError(
          "CLOSED",
          `Cannot read ${this.topic} partition ${this.partition}: the reader is closed`,
        );
      }
      if (this.buffered > 0) return this.#take(max, until);
      if (this.#next >= until) return [];
      if (until === Infinity && this.#next > this.#position && this.#error === undefined) {
        // Only holes were read: the caller may wait for the partition's end.
        this.#position = this.#next;
        return [];
      }
      if (this.#error !== undefined) throw this.#error;
      await this.#changes.wait(signal);
    }
  }

  #take(max: number, until: number): Frame[] {
    let end = 0;
    const limit = Math.min(this.#frames.length, max);
    while (end < limit && this.#frames[end]!.offset < until) {
      this.#bytes -= weightOf(this.#frames[end]!);
      end++;
    }
    const frames = this.#frames.splice(0, end);
    if (frames.length > 0) this.#position = frames.at(-1)!.offset + 1;
    this.#decodeOn();
    // Skip the holes that follow, so that the next read does not report them again.
    if (this.buffered === 0 && this.#next <= until) this.#position = this.#next;
    if (this.hasRoom) this.#owner.changed(this);
    return frames;
  }

  /**
   * Buffers a response to a fetch from `next` on.
   *
   * @returns what is wrong with the response, which is ignored then
   */
  fill(fetched: FetchedPartition): string | undefined {
    const { topic, partition } = this;
    const { batches, aborted, highWatermark } = fetched;
    const from = this.#next;
    const rest = batches.length === 0
      ? undefined
      : new BatchDecoder(batches, { topic, partition, from, aborted, texts: this.#texts });
    const decoded = rest && this.#decode(rest);
    if (this.#error !== undefined) return undefined;
    const end = decoded?.next ?? from;
    if (rest !== undefined && decoded !== undefined) {
      // Without records this is not an error: a new leader may be behind for a moment.
      if (end > highWatermark) {
        return `offset ${end - 1} beyond its high watermark ${highWatermark}`;
      }
      if (end === from && rest.done) return `no record from the requested offset ${from} on`;
      this.#takeIn(decoded, rest);
    }
    this.failures = 0;
    this.latest = Math.max(fetched.lastStableOffset, end);
    this.#watchTransactions(fetched);
    return undefined;
  }

  /** Decodes further frames of the last fetch, as far as they fit. */
  #decodeOn(): void {
    for (let rest; (rest = this.#rest) !== undefined && this.#isHalfEmpty;) {
      const next = this.#next;
      this.#rest = undefined;
      const decoded = this.#decode(rest);
      if (decoded !== undefined) this.#takeIn(decoded, rest);
      if (this.#next === next) return;
    }
  }

  #decode(rest: BatchDecoder): Decoded | undefined {
    try {
      return rest.take(this.#room, this.buffered === 0 ? 1 : 0);
    } catch (error) {
      const action =
        `Cannot read ${this.topic} partition ${this.partition} at offset ${this.#next}`;
      this.fail(toLogError(error, action, ""));
      return undefined;
    }
  }

  /** Reports another producer's open transaction, which blocks the records after it. */
  #watchTransactions({ highWatermark, lastStableOffset }: FetchedPartition): void {
    if (highWatermark <= lastStableOffset || this.#next < lastStableOffset) {
      this.#heldSince = undefined;
      this.reportProblem();
      return;
    }
    const now = systemClock.monotonic();
    this.#heldSince ??= now;
    if (now - this.#heldSince < OPEN_TRANSACTION_MS || this.#inTrouble) return;
    const offsets = highWatermark - lastStableOffset;
    this.reportProblem({
      reason: "OPEN_TRANSACTION",
      message:
        `An open transaction of another producer blocks ${offsets} offsets from ${lastStableOffset} on; it ends with its time-out at the latest`,
    });
  }

  #takeIn({ epochs, frames, next }: Decoded, rest: BatchDecoder): void {
    for (const seen of epochs) {
      if (seen.epoch >= 0) this.fetchedEpoch = seen.epoch;
      this.#epochs.observe(this.topic, this.partition, seen);
    }
    for (const frame of frames) {
      this.#frames.push(frame);
      this.#bytes += weightOf(frame);
    }
    if (next !== this.#next) {
      this.#next = next;
      this.#changes.notify();
    }
    this.#rest = rest.done ? undefined : rest;
  }

  /** `read` throws this error once the buffer is empty, until a seek. */
  fail(error: LogError): void {
    this.#error = error;
    this.#changes.notify();
  }

  seek(offset: number): void {
    checkWhole(`Cannot read ${this.key} from offset ${offset}`, offset, 0);
    this.#frames = [];
    this.#bytes = 0;
    this.#position = this.#next = offset;
    this.#error = undefined;
    this.#rest = undefined;
    this.#heldSince = undefined;
    this.fetchedEpoch = this.#epochs.before(this.topic, this.partition, offset);
    this.version++;
    this.#changes.notify();
    if (!this.isClosed) this.#owner.changed(this);
  }

  close(): Promise<void> {
    if (!this.isClosed) {
      this.isClosed = true;
      this.version++;
      this.#frames = [];
      this.#rest = undefined;
      this.#bytes = 0;
      this.#changes.notify();
      this.#owner.closed(this);
    }
    return Promise.resolve();
  }
}
