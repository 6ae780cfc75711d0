// A camera's partition, for sources that remember what is in it.
import type { Clock } from "../runtime/base/clock.ts";
import { LogError, type TopicLog } from "../runtime/log/log.ts";
import { retry } from "../runtime/base/wait.ts";
import type { PublishedRecord, PublishTarget } from "./source.ts";

/** Records to look through at a time. */
const READ_AT_ONCE = 256;

export interface LogTargetOptions {
  readonly log: TopicLog;
  readonly topic: string;
  readonly partition: number;
  readonly kv: Deno.Kv;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export class LogTarget implements PublishTarget {
  readonly id: string;
  readonly kv: Deno.Kv;
  readonly #options: LogTargetOptions;

  constructor(options: LogTargetOptions) {
    this.#options = options;
    this.kv = options.kv;
    this.id = `${options.log.url} ${options.topic} ${options.partition}`;
  }

  async latest(): Promise<number> {
    return (await this.#offsets()).latest;
  }

  async *since(offset: number): AsyncGenerator<PublishedRecord> {
    const { log, topic, partition, signal } = this.#options;
    const { earliest, latest } = await this.#offsets();
    let position = Math.max(earliest, offset);
    if (position >= latest) return;
    const reader = await log.reader();
    try {
      const records = await reader.open(topic, partition, position);
      while (position < latest) {
        // Nothing but holes may be left: markers of transactions.
        const more = await records.read(READ_AT_ONCE, signal, latest);
        if (more.length === 0) return;
        for (const { offset, headers } of more) {
          if (offset < latest) yield { offset, headers };
        }
        position = records.position;
      }
    } finally {
      await reader.close();
    }
  }

  async #offsets(): Promise<{ earliest: number; latest: number }> {
    const { log, topic, partition, clock, signal } = this.#options;
    try {
      return await retry(() => log.offsets(topic, partition), { clock, signal });
    } catch (error) {
      const code = error instanceof LogError ? error.code : undefined;
      if (code !== "TOPIC_MISSING" && code !== "PARTITION_MISSING") throw error;
      return { earliest: 0, latest: 0 };
    }
  }
}
