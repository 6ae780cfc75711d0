// Follows the alerts recorded in the log, including those of other runtimes and from before this viewer's
// start.
import { type Clock, monotonicOf } from "../runtime/base/clock.ts";
import type { Result } from "../runtime/definition/frame.ts";
import type { TopicLog } from "../runtime/log/log.ts";
import { alertTopic } from "../runtime/sinks/findings.ts";
import { LogReads } from "./log_reads.ts";
import { parseResult } from "./past_findings.ts";

export interface AlertLogOptions {
  readonly log: TopicLog;
  /** Source topics of the alerts. */
  readonly topics: readonly string[];
  readonly clock: Clock;
  /**
   * Called with each transition of an alert, in order within a partition.
   *
   * @param heard monotonic: the arrival, or the capture time for existing records
   */
  readonly onAlert: (result: Result, heard: number) => void;
}

/** Number of existing records read per partition. */
const LOOK_BACK = 1_000;
/**
 * Poll interval. A waiting reader would be notified at once, but would check every frame appended to the log;
 * results of this runtime's own queries arrive at once anyway.
 */
const POLL_MS = 2_000;

export class AlertLog {
  readonly #options: AlertLogOptions;
  readonly #stop = new AbortController();
  readonly #following: Promise<unknown>;
  /** The next offset of each partition, by `topic partition`. */
  readonly #positions = new Map<string, number>();
  readonly #reads: LogReads;

  /** Starts at once; retries while the log is unreachable. */
  constructor(options: AlertLogOptions) {
    this.#options = options;
    this.#reads = new LogReads(options.log, { signal: this.#stop.signal });
    this.#following = Promise.all(options.topics.map((topic) => this.#follow(alertTopic(topic))));
  }

  /** Stops all reading. Does not close the log. */
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
        // The topic is created with the first alert: then all records are new.
        fresh ||= count === 0;
        const partitions = Array.from({ length: count }, (_, partition) => partition);
        await Promise.all(partitions.map((partition) => this.#catchUp(topic, partition, fresh)));
      } catch {
        // The lanes report problems with the log; alerts are read once it is back.
      }
    } while (await this.#pause());
  }

  async #catchUp(topic: string, partition: number, fresh: boolean): Promise<void> {
    const { log, clock, onAlert } = this.#options;
    const key = `${topic} ${partition}`;
    const known = this.#positions.get(key);
    const { earliest, latest } = await log.offsets(topic, partition);
    const from = Math.max(earliest, known ?? (fresh ? 0 : latest - LOOK_BACK));
    // A recreated topic starts over.
    if (from > latest) this.#positions.delete(key);
    else this.#positions.set(key, from);
    if (from >= latest) return;
    const isNew = fresh || known !== undefined;
    for (const { value, timestamp } of await this.#reads.read(topic, partition, from, latest)) {
      const result = parseResult(value);
      if (result && isAlert(result)) {
        const now = clock.monotonic();
        onAlert(result, isNew ? now : Math.min(now, monotonicOf(clock, timestamp)));
      }
    }
    this.#positions.set(key, latest);
  }

  /** Waits for the next poll; false if the viewer is stopping. */
  async #pause(): Promise<boolean> {
    try {
      await this.#options.clock.sleep(POLL_MS, this.#stop.signal);
      return true;
    } catch {
      return false; // aborted
    }
  }
}

/** Validates a record, which may be foreign. */
function isAlert({ alert, window, topic, query, partition }: Result): boolean {
  return typeof alert?.id === "string" && typeof alert.label === "string" &&
    typeof alert.peak === "number" && ["start", "update", "end"].includes(alert.state) &&
    typeof topic === "string" && typeof query === "string" && Number.isInteger(partition) &&
    typeof window?.firstOffset === "number" && typeof window.lastOffset === "number" &&
    typeof window.firstTimestamp === "number" && typeof window.lastTimestamp === "number";
}
