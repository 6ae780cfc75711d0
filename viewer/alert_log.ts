// The alerts that the log remembers: of runtimes anywhere, and of times before this viewer was started.
import type { Clock } from "../runtime/base/clock.ts";
import type { Result } from "../runtime/definition/frame.ts";
import type { TopicLog } from "../runtime/log/log.ts";
import { alertTopic } from "../runtime/sinks/findings.ts";
import { LogReads } from "./log_reads.ts";
import { parseResult } from "./past_findings.ts";

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

/** Follows the alerts of some topics. */
export class AlertLog {
  readonly #options: AlertLogOptions;
  readonly #stop = new AbortController();
  readonly #following: Promise<unknown>;
  /** The next offset of each partition, by `topic partition`. */
  readonly #positions = new Map<string, number>();
  readonly #reads: LogReads;

  /** Begins at once; a log that is away is asked again by itself. */
  constructor(options: AlertLogOptions) {
    this.#options = options;
    this.#reads = new LogReads(options.log, { signal: this.#stop.signal });
    this.#following = Promise.all(options.topics.map((topic) => this.#follow(alertTopic(topic))));
  }

  /** Ends all reading. The log itself is its owner's. */
  async close(): Promise<void> {
    this.#stop.abort(new Error("The alerts are closed"));
    await this.#following;
    await this.#reads.close();
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
    const isNew = fresh || known !== undefined;
    for (const { value, timestamp } of await this.#reads.read(topic, partition, from, latest)) {
      const result = parseResult(value);
      if (result && isAlert(result)) onAlert(result, isNew ? clock.now() : timestamp);
    }
    this.#positions.set(key, latest);
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
}

/** False for a foreign record in the topic. */
function isAlert({ alert, window, topic, query, partition }: Result): boolean {
  return typeof alert?.id === "string" && typeof alert.label === "string" &&
    typeof alert.peak === "number" && ["start", "update", "end"].includes(alert.state) &&
    typeof topic === "string" && typeof query === "string" && Number.isInteger(partition) &&
    typeof window?.firstOffset === "number" && typeof window.lastOffset === "number" &&
    typeof window.firstTimestamp === "number" && typeof window.lastTimestamp === "number";
}
