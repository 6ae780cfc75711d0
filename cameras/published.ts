// Remembers durably which images of a folder were published to a partition.
import type { Clock } from "../runtime/base/clock.ts";
import { retry } from "../runtime/base/wait.ts";
import { LogError, type TopicLog } from "../runtime/log/log.ts";
import type { PublishTarget } from "./source.ts";

/** Header of a frame from a folder: the image's path within it. */
export const FILE_HEADER = "file";
/** Header of a frame from a folder: size and modification time, which identify the version. */
export const VERSION_HEADER = "file-version";

/**
 * The published versions of a folder's images, in Deno KV. The log is authoritative: publications
 * that a crash left unrecorded are read from the log at the next start, and if the topic was
 * recreated, the record is cleared.
 */
export class PublishedFiles {
  readonly #target: PublishTarget;
  readonly #folder: string;
  readonly #versions = new Map<string, string>();

  private constructor(target: PublishTarget, folder: string) {
    this.#target = target;
    this.#folder = folder;
  }

  static async open(
    target: PublishTarget,
    folder: string,
    report: (message: string) => void,
  ): Promise<PublishedFiles> {
    const files = new PublishedFiles(target, folder);
    const { kv } = target;
    const { value: position } = await kv.get<number>(files.#positionKey);
    const latest = await target.latest();
    if (position === null || position > latest) {
      if (position !== null) {
        report(`The topic is newer than the record of ${folder}: its images are published again`);
        for await (const { key } of kv.list({ prefix: files.#prefix })) await kv.delete(key);
      }
      await kv.set(files.#positionKey, latest);
      return files;
    }
    for await (const { key, value } of kv.list<string>({ prefix: files.#prefix })) {
      files.#versions.set(String(key.at(-1)), value);
    }
    for await (const { offset, headers } of target.since(position)) {
      const file = headers[FILE_HEADER];
      const version = headers[VERSION_HEADER];
      if (file !== undefined && version !== undefined) await files.add(file, version, offset);
    }
    return files;
  }

  has(file: string, version: string): boolean {
    return this.#versions.get(file) === version;
  }

  async add(file: string, version: string, offset: number): Promise<void> {
    this.#versions.set(file, version);
    const change = this.#target.kv.atomic().set([...this.#prefix, file], version);
    if (offset >= 0) change.set(this.#positionKey, offset + 1);
    await change.commit();
  }

  get #prefix(): Deno.KvKeyPart[] {
    return ["published", this.#target.id, this.#folder];
  }

  get #positionKey(): Deno.KvKeyPart[] {
    return ["position", this.#target.id, this.#folder];
  }
}

const READ_AT_ONCE = 256;

/** A camera's partition, for sources that remember what they published. */
export function logTarget(
  { log, topic, partition, kv, clock, signal }: {
    readonly log: TopicLog;
    readonly topic: string;
    readonly partition: number;
    readonly kv: Deno.Kv;
    readonly clock: Clock;
    readonly signal: AbortSignal;
  },
): PublishTarget {
  const offsets = async () => {
    try {
      return await retry(() => log.offsets(topic, partition), { clock, signal });
    } catch (error) {
      const code = error instanceof LogError ? error.code : undefined;
      if (code !== "TOPIC_MISSING" && code !== "PARTITION_MISSING") throw error;
      return { earliest: 0, latest: 0 };
    }
  };
  return {
    id: `${log.url} ${topic} ${partition}`,
    kv,
    latest: async () => (await offsets()).latest,
    async *since(offset) {
      const { earliest, latest } = await offsets();
      const from = Math.max(earliest, offset);
      if (from >= latest) return;
      const reader = await log.reader();
      try {
        const records = await reader.open(topic, partition, from);
        while (records.position < latest) {
          // Only transaction markers may be left.
          const more = await records.read(READ_AT_ONCE, signal, latest);
          if (more.length === 0) return;
          yield* more;
        }
      } finally {
        await reader.close();
      }
    },
  };
}
