// Cameras that publish marked frames all the while a trial continues: every second one sends H.264.
import { systemClock } from "../../runtime/base/clock.ts";
import type { TopicLog } from "../../runtime/log/log.ts";
import { retry } from "../../runtime/base/wait.ts";
import { trialUnits } from "./access_units.ts";
import { type Marked, markedRecords, markOf } from "./checker.ts";

/** What the cameras do. */
export interface CamerasOptions {
  readonly log: TopicLog;
  readonly topic: string;
  /** One camera for each partition. */
  readonly cameras: number;
  /** Frames of each camera in one go. Default 2. */
  readonly frames?: number;
  /** Milliseconds between two goes. Default 40. */
  readonly everyMs?: number;
}

/** Cameras at work. */
export class Cameras {
  /** Everything that was published, camera by camera in order. */
  readonly published: Marked[] = [];
  /** Frames of each camera so far. */
  count = 0;
  readonly #options: CamerasOptions;
  readonly #stop = new AbortController();
  #cameras: number;
  /** Frames of the first cameras before each camera's own first. */
  readonly #before: number[];
  #done: Promise<void> = Promise.resolve();

  constructor(options: CamerasOptions) {
    this.#options = options;
    this.#cameras = options.cameras;
    this.#before = Array.from({ length: this.#cameras }, () => 0);
  }

  /** Makes the topic and starts to publish. */
  async start(): Promise<this> {
    const { log, topic } = this.#options;
    await retry(() => log.createTopic(topic, this.#cameras), patience);
    this.#done = this.#publish();
    // The caller that stops the cameras gets the error.
    this.#done.catch(() => {});
    return this;
  }

  /** Adds a camera, and a partition for it. */
  async add(): Promise<void> {
    const { log, topic } = this.#options;
    await retry(() => log.createTopic(topic, this.#cameras + 1), patience);
    this.#cameras++;
  }

  /** Ends when all that was begun is in the log. */
  async stop(): Promise<readonly Marked[]> {
    this.#stop.abort(new Error("The cameras were stopped"));
    await this.#done;
    return this.published;
  }

  async #publish(): Promise<void> {
    const { log, topic, frames = 2, everyMs = 40 } = this.#options;
    const unitsOf = await trialUnits();
    const producer = await log.producer();
    // Kafka deletes by capture time: frames of long ago are gone before they are read.
    const start = Date.now();
    try {
      while (!this.#stop.signal.aborted) {
        await Promise.all(Array.from({ length: this.#cameras }, async (_, partition) => {
          const from = this.count;
          const first = this.#before[partition] ??= from;
          const units = unitsOf(partition + 1);
          const records = markedRecords(partition + 1, frames, { from, start, units, first });
          // Cut off from its broker a camera tries again, and its producer doubles nothing.
          await retry(() => producer.append(topic, partition, records), patience);
          this.published.push(...records.map(markOf));
        }));
        this.count += frames;
        // Not worth being woken for.
        await systemClock.sleep(everyMs);
      }
    } finally {
      await producer.close();
    }
  }
}

const patience = { clock: systemClock, minDelayMs: 50, maxDelayMs: 500 };
