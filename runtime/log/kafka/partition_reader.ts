/**
 * One partition as it is being read: what is buffered, where it goes on, who waits.
 *
 * @module
 */
import type { Frame } from "../../definition/frame.ts";
import { LogError, type PartitionReader } from "../log.ts";
import type { Leader } from "./cluster.ts";
import type { Epochs } from "./epochs.ts";
import { type Decoded, weightOf } from "./record_decoder.ts";

/** What a reader may hold. */
export interface Bounds {
  readonly frames: number;
  readonly bytes: number;
}

/** What a partition needs from the reader that it belongs to. */
export interface Feeder {
  /** There is room again, or another place to read from. */
  changed(feed: PartitionFeed): void;
  closed(feed: PartitionFeed): void;
}

/** A `PartitionReader` and the side of it that is filled from fetches. */
export class PartitionFeed implements PartitionReader {
  readonly topic: string;
  readonly partition: number;
  /** Which topic of this name is read: it may be deleted and made again. */
  topicId: string;
  /** Who is asked; undefined while that is not known. */
  leader: Leader | undefined;
  /** A fetch for it is under way. */
  inFlight = false;
  /** Its leader is being looked for. */
  searching = false;
  /** Fetches in a row that went wrong. */
  failures = 0;
  status: "reading" | "waiting-for-log" = "reading";
  latest: number;
  /** Leader epoch of the last batch that was read. */
  fetchedEpoch = -1;
  /** Counts seeks: an answer to an older question is dropped. */
  version = 0;
  readonly #feeder: Feeder;
  readonly #epochs: Epochs;
  readonly #bounds: Bounds;
  #frames: Frame[] = [];
  #taken = 0;
  #bytes = 0;
  #position: number;
  #next: number;
  #error: LogError | undefined;
  #closed = false;
  /** What came last did not fit in: asking again is of no use before something was taken out. */
  #blocked = false;
  #waiting = new Set<() => void>();

  constructor(
    feeder: Feeder,
    bounds: Bounds,
    of: { topic: string; partition: number; offset: number; leader: Leader; epochs: Epochs },
  ) {
    this.#epochs = of.epochs;
    this.#feeder = feeder;
    this.#bounds = bounds;
    this.topic = of.topic;
    this.partition = of.partition;
    this.leader = of.leader;
    this.topicId = of.leader.topicId;
    this.#position = this.#next = this.latest = of.offset;
    this.fetchedEpoch = of.epochs.before(of.topic, of.partition, of.offset);
  }

  get buffered(): number {
    return this.#frames.length - this.#taken;
  }

  get position(): number {
    return this.#position;
  }

  /** Where the next fetch goes on. */
  get next(): number {
    return this.#next;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** What may be fetched now; none while half of what it may hold is still there. */
  get room(): Bounds | undefined {
    const frames = this.#bounds.frames - this.buffered;
    const bytes = this.#bounds.bytes - this.#bytes;
    if (this.#closed || this.#blocked || this.#error !== undefined) return undefined;
    const enough = this.buffered === 0 ||
      (2 * frames >= this.#bounds.frames && 2 * bytes >= this.#bounds.bytes);
    return enough ? { frames, bytes } : undefined;
  }

  async read(max: number, signal?: AbortSignal, until = Infinity): Promise<Frame[]> {
    if (!(max >= 1)) {
      throw new LogError("INVALID", `Cannot read ${max} frames: expected 1 or more`);
    }
    for (;;) {
      signal?.throwIfAborted();
      if (this.#closed) {
        throw new LogError(
          "CLOSED",
          `Cannot read ${this.topic} partition ${this.partition}: the reader is closed`,
        );
      }
      if (this.buffered > 0) return this.#take(max, until);
      if (this.#next >= until) return [];
      if (until === Infinity && this.#next > this.#position && this.#error === undefined) {
        // Nothing but holes was read: whoever waits for the end of the partition is there.
        this.#position = this.#next;
        return [];
      }
      if (this.#error !== undefined) throw this.#error;
      await this.#change(signal);
    }
  }

  #take(max: number, until: number): Frame[] {
    let end = this.#taken;
    const limit = Math.min(this.#frames.length, this.#taken + max);
    while (end < limit && this.#frames[end]!.offset < until) {
      this.#bytes -= weightOf(this.#frames[end]!);
      end++;
    }
    const frames = this.#frames.slice(this.#taken, end);
    this.#taken = end;
    this.#blocked = false;
    if (this.#taken === this.#frames.length) {
      this.#frames = [];
      this.#taken = 0;
    } else if (this.#taken > 64) {
      // Frames hold on to the buffers that they came in.
      this.#frames = this.#frames.slice(this.#taken);
      this.#taken = 0;
    }
    if (this.buffered === 0 && this.#next <= until) this.#position = this.#next;
    else if (frames.length > 0) this.#position = frames.at(-1)!.offset + 1;
    if (this.room !== undefined) this.#feeder.changed(this);
    return frames;
  }

  #change(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#waiting.delete(done);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      this.#waiting.add(done);
      signal?.addEventListener("abort", done, { once: true });
    });
  }

  #wake(): void {
    for (const done of [...this.#waiting]) done();
  }

  /** Takes in what was fetched from offset `next` on. */
  fill(decoded: Decoded, latest: number): void {
    this.latest = Math.max(latest, decoded.next);
    for (const seen of decoded.epochs) {
      if (seen.epoch < 0) continue;
      this.fetchedEpoch = seen.epoch;
      this.#epochs.observe(this.topic, this.partition, seen);
    }
    let next = decoded.next;
    for (const frame of decoded.frames) {
      const size = weightOf(frame);
      const full = this.buffered >= this.#bounds.frames ||
        (this.buffered > 0 && this.#bytes + size > this.#bounds.bytes);
      if (full) {
        next = frame.offset;
        this.#blocked = next === this.#next;
        break;
      }
      this.#frames.push(frame);
      this.#bytes += size;
    }
    if (next === this.#next) return;
    this.#next = next;
    this.#wake();
  }

  /** Nothing more can be read from here, until a seek. */
  fail(error: LogError): void {
    this.#error = error;
    this.#wake();
  }

  seek(offset: number): void {
    if (!Number.isInteger(offset) || offset < 0) {
      throw new LogError("INVALID", `Cannot seek to offset ${offset}: expected 0 or more`);
    }
    this.#frames = [];
    this.#taken = this.#bytes = 0;
    this.#position = this.#next = offset;
    this.#error = undefined;
    this.#blocked = false;
    this.fetchedEpoch = this.#epochs.before(this.topic, this.partition, offset);
    this.version++;
    this.#wake();
    if (!this.#closed) this.#feeder.changed(this);
  }

  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.version++;
      this.#frames = [];
      this.#taken = this.#bytes = 0;
      this.#wake();
      this.#feeder.closed(this);
    }
    return Promise.resolve();
  }
}
