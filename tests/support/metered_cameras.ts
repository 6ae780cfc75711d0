// Cameras that each keep a rate of their own, which a trial may change while they run: every second one sends H.264.
import type { TopicLog } from "../../runtime/log/log.ts";
import { trialUnits } from "./access_units.ts";
import { type Marked, markOf } from "./checker.ts";
import { records } from "./frames.ts";

/**
 * Makes a frame as large as a camera's: to H.264 it is a NAL unit of filler data, and JPEG decoders stop at the end of
 * the image.
 */
const PADDING = new Uint8Array(60_000).fill(0xff);
PADDING.set([0, 0, 0, 1, 0x0c]);
PADDING[PADDING.length - 1] = 0x80;
/** How often a camera looks whether a frame is due. */
const TICK_MS = 5;
const BURST_AT_ONCE = 50;

/** Cameras at work, one for each partition of a topic. */
export class MeteredCameras {
  /** What each camera published, in order. */
  readonly published: Marked[][];
  readonly #log: TopicLog;
  readonly #topic: string;
  readonly #rates: number[];
  readonly #extra: number[];
  #stopped = false;
  #done: Promise<unknown> = Promise.resolve();

  /** `rates`: frames a second, one for each camera. */
  constructor(log: TopicLog, topic: string, rates: readonly number[]) {
    this.#log = log;
    this.#topic = topic;
    this.#rates = [...rates];
    this.#extra = rates.map(() => 0);
    this.published = rates.map(() => []);
  }

  /** Starts to publish; the topic has to be there. */
  start(): this {
    this.#done = Promise.all(this.#rates.map((_, camera) => this.#publish(camera)));
    // The caller that stops the cameras gets the error.
    this.#done.catch(() => {});
    return this;
  }

  /** From now on that camera makes this many frames a second. */
  setRate(camera: number, rate: number): void {
    this.#rates[camera] = rate;
  }

  /** That camera publishes this many frames more, as fast as it can; resolves when it has. */
  async burst(camera: number, frames: number): Promise<void> {
    this.#extra[camera]! += frames;
    while (this.#extra[camera]! > 0 && !this.#stopped) {
      await Promise.race([this.#done, new Promise((resolve) => setTimeout(resolve, TICK_MS))]);
    }
  }

  /** Frames of each camera so far. */
  counts(): number[] {
    return this.published.map(({ length }) => length);
  }

  /** Ends when all that was begun is in the log. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  async #publish(camera: number): Promise<void> {
    const units = (await trialUnits())(camera + 1);
    const producer = await this.#log.producer();
    let due = 0;
    let before = performance.now();
    try {
      while (!this.#stopped) {
        const now = performance.now();
        due += (now - before) * this.#rates[camera]! / 1000;
        before = now;
        const extra = Math.min(this.#extra[camera]!, BURST_AT_ONCE);
        this.#extra[camera]! -= extra;
        const count = Math.floor(due) + extra;
        due -= Math.floor(due);
        if (count > 0) {
          const from = this.published[camera]!.length;
          const some = records(camera + 1, count, { from, units })
            .map((record) => ({ ...record, value: padded(record.value), timestamp: Date.now() }));
          await producer.append(this.#topic, camera, some);
          this.published[camera]!.push(...some.map(markOf));
        }
        await new Promise((resolve) => setTimeout(resolve, TICK_MS));
      }
    } finally {
      await producer.close();
    }
  }
}

function padded(image: Uint8Array): Uint8Array {
  const value = new Uint8Array(image.length + PADDING.length);
  value.set(image);
  value.set(PADDING, image.length);
  return value;
}
