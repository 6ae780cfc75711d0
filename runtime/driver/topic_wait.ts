// Waits for a topic that is not there yet, or has too few partitions.
import type { Clock } from "../base/clock.ts";
import { LogError, type TopicLog } from "../log/log.ts";

/** How often the log is asked, milliseconds. */
const POLL_MS = 250;

export interface TopicWait {
  readonly log: TopicLog;
  readonly topic: string;
  /** Partitions needed. */
  readonly partitions: number;
  /** Whether a missing topic or log is waited for at all. */
  readonly patient: () => Promise<boolean>;
  /** Called once, when the wait begins. */
  readonly report: (message: string) => void;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Waits until a topic has enough partitions; returns how many it has.
 *
 * @throws {LogError} `TOPIC_MISSING` or `PARTITION_MISSING` without waiting; errors of the log that
 * do not heal.
 * @throws the signal's reason when it aborts.
 */
export async function waitForPartitions(
  { log, topic, partitions, patient, report, clock, signal }: TopicWait,
): Promise<number> {
  for (let reported = false;; reported = true) {
    let count = 0;
    let away: LogError | undefined;
    try {
      count = await log.partitionCount(topic);
    } catch (error) {
      if (!(error instanceof LogError) || !error.retryable || !await patient()) throw error;
      away = error;
    }
    if (count >= partitions) return count;
    const missing = count === 0
      ? `Topic ${topic} does not exist in ${log.url}`
      : `Topic ${topic} in ${log.url} has no partition ${partitions - 1} (it has ${count})`;
    if (!await patient()) {
      throw new LogError(
        count === 0 ? "TOPIC_MISSING" : "PARTITION_MISSING",
        `${missing}: start a camera first, or name another --topic`,
      );
    }
    if (!reported) {
      report(away === undefined ? `${missing}: waiting for a camera` : `${away.message}: waiting`);
    }
    await clock.sleep(POLL_MS, signal);
  }
}
