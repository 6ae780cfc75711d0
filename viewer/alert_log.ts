/**
 * The alerts that the log remembers: of runtimes anywhere, and of times before this viewer was started.
 *
 * @module
 */
import type { Clock } from "../runtime/base/clock.ts";
import type { Result } from "../runtime/definition/frame.ts";
import type { LogReader, TopicLog } from "../runtime/log/log.ts";
import { alertTopic } from "../runtime/sinks/alert_log.ts";

/** What is read. */
export interface AlertLogOptions {
  readonly log: TopicLog;
  /** Topics whose frames the alerts are on. */
  readonly topics: readonly string[];
  readonly clock: Clock;
  /**
   * A transition of an alert. Those of a partition come in order.
   *
   * @param heard epoch milliseconds: when it came, or the capture time of what was there before.
   */
  readonly onAlert: (result: Result, heard: number) => void;
}

/** Records of each partition that are looked back at. */
const LOOK_BACK = 1_000;
/**
 * How often the log is asked for more. A reader that waits would hear at once, and would look at every frame that
 * comes to the log for it; what this runtime's own queries find is heard at once anyway.
 */
const POLL_MS = 2_000;
const READ_MS = 5_000;
const BATCH = 64;

/** Follows the alerts of some topics. */
export class AlertLog {
  readonly #options: AlertLogOptions;
  readonly #stop = new AbortController();
  readonly #following: Promise<unknown>;
  /** The next offset of each partition, by `topic partition`. */
  readonly #positions = new Map<string, number>();
  #reader: Promise<LogReader> | undefined;

  /** Begins at once; a log that is away is asked again by itself. */
  constructor(options: AlertLogOptions) {
    this.#options = options;
    this.#following = Promise.all(options.topics.map((topic) => this.#follow(alertTopic(topic))));
  }

  /** Ends all reading. The log itself is its owner's. */
  async close(): Promise<void> {
    this.#stop.abort(new Error("The alerts are closed"));
    await this.#following;
    await (await this.#reader)?.close();
  }

  async #follow(topic: string): Promise<void> {
    const { log } = this.#options;
    let fresh = false;
    do {
      try {
        const count = await log.partitionCount(topic);
        // There is no such topic before the first alert: then all of it is new.
        fresh ||= count === 0;
        const partitions = Array.from({ length: count }, (_, partition) => partition);
        await Promise.all(partitions.map((partition) => this.#catchUp(topic, partition, fresh)));
      } catch {
        // The lanes say what is wrong with the log: alerts only have to come when it is back.
      }
    } while (await this.#pause());
  }

  async #catchUp(topic: string, partition: number, fresh: boolean): Promise<void> {
    const { log, clock, onAlert } = this.#options;
    const key = `${topic} ${partition}`;
    const known = this.#positions.get(key);
    const { earliest, latest } = await log.offsets(topic, partition);
    const from = Math.max(earliest, known ?? (fresh ? 0 : latest - LOOK_BACK));
    // A topic that was made again begins at its beginning.
    if (from > latest) this.#positions.delete(key);
    else this.#positions.set(key, from);
    if (from >= latest) return;
    const reader = await (await this.#logReader()).open(topic, partition, from);
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(READ_MS)]);
    try {
      while (reader.position < latest) {
        const frames = await reader.read(BATCH, signal, latest);
        if (frames.length === 0) break;
        for (const { value, timestamp } of frames) {
          const result = parseResult(value);
          const isNew = fresh || known !== undefined;
          if (result !== undefined) onAlert(result, isNew ? clock.now() : timestamp);
        }
        this.#positions.set(key, reader.position);
      }
      this.#positions.set(key, Math.max(reader.position, latest));
    } finally {
      await reader.close();
    }
  }

  /** Waits a while; false when the viewer stops. */
  async #pause(): Promise<boolean> {
    try {
      await this.#options.clock.sleep(POLL_MS, this.#stop.signal);
      return true;
    } catch {
      return false; // aborted while it waited
    }
  }

  #logReader(): Promise<LogReader> {
    return this.#reader ??= this.#options.log.reader({
      maxBufferedFrames: BATCH,
      maxBufferedBytes: 256 * 1024,
    });
  }
}

/** A result of the log; undefined for a foreign record in the topic. */
function parseResult(value: Uint8Array): Result | undefined {
  let parsed: Partial<Result>;
  try {
    parsed = JSON.parse(new TextDecoder().decode(value)) as Partial<Result>;
  } catch {
    return undefined; // not JSON
  }
  const { alert, window, topic, query, partition } = parsed ?? {};
  const isAlert = typeof alert?.id === "string" && typeof alert.label === "string" &&
    typeof alert.peak === "number" && ["start", "update", "end"].includes(alert.state);
  const isPlaced = typeof topic === "string" && typeof query === "string" &&
    Number.isInteger(partition) && typeof window?.firstOffset === "number" &&
    typeof window.lastOffset === "number" && typeof window.firstTimestamp === "number" &&
    typeof window.lastTimestamp === "number";
  return isAlert && isPlaced ? parsed as Result : undefined;
}
