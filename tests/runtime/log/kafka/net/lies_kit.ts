// What is tried on a broker that lies, and how its responses are changed.
import { Buffer } from "node:buffer";
import type { ReadProblem, TopicLog } from "../../../../../runtime/log/log.ts";
import { crc32c } from "../../../../../runtime/log/kafka/records/crc32c.ts";
import { encodeBatch } from "../../../../../runtime/log/kafka/records/encoder.ts";
import { openLog } from "../../../../../runtime/log/open.ts";
import {
  type Lie,
  type Reply,
  ScriptedBroker,
  type Seen,
} from "../../../../support/scripted_broker.ts";
import { PATIENCE_MS } from "../../../../support/until.ts";

export const record = { key: null, value: new Uint8Array(3), timestamp: 1, headers: {} };

/** A broker, and a log on it; the script learns how often it was asked the same before. */
export async function withBroker(
  script: (seen: Seen, before: number) => Reply,
  test: (log: TopicLog, broker: ScriptedBroker) => Promise<void>,
  timeoutMs = PATIENCE_MS,
): Promise<void> {
  const asked = new Map<number, number>();
  const broker = new ScriptedBroker((seen) => {
    const before = asked.get(seen.key) ?? 0;
    asked.set(seen.key, before + 1);
    return script(seen, before);
  });
  const log = await openLog(broker.url, { timeoutMs });
  try {
    await test(log, broker);
  } finally {
    await log.close();
    await broker.close();
  }
}

/** What is asked of a liar; returns what came of it in a word or a sentence. */
export type Task = (log: TopicLog) => Promise<unknown>;

export const append: Task = async (log) => {
  const producer = await log.producer();
  return `appended at ${await producer.append("t", 0, [record])}`;
};

/** From offset 5 on: a frame's fault, or the first problem, or the error. */
export const read: Task = async (log) => {
  const told = Promise.withResolvers<string>();
  const onProblem = (problem?: ReadProblem) => problem && told.resolve(problem.message);
  const partition = await (await log.reader()).open("t", 0, 5, onProblem);
  const frames = partition.read(1).then(([frame]) => frame!.fault?.message ?? "a frame");
  return await Promise.race([told.promise, frames]);
};

export const count: Task = async (log) => `${await log.partitionCount("t")} partitions`;
export const create: Task = async (log) => `${await log.createTopic("t", 1)} partitions`;
export const offsets: Task = async (log) => JSON.stringify(await log.offsets("t", 0));
export const own: Task = async (log) => {
  const committer = await log.committer({ group: "g", query: "q", topic: "t", partition: 0 });
  return `begins at ${committer.committed?.end}`;
};
export const join: Task = async (log) => {
  const told = Promise.withResolvers<string>();
  await log.joinGroup({
    group: "g",
    topic: "t",
    // deno-lint-ignore require-await
    onAssignment: async ({ partitions }) => told.resolve(`partitions ${partitions}`),
    onError: ({ message }) => told.resolve(message),
  });
  return await told.promise;
};

export function bytes(change: (frame: Buffer) => unknown): Lie {
  return {
    bytes(frame) {
      const changed = change(Buffer.from(frame));
      return changed instanceof Uint8Array ? changed : frame;
    },
  };
}

export function patched(change: (frame: DataView) => void): Lie {
  return bytes((frame) => {
    change(new DataView(frame.buffer, frame.byteOffset));
    return frame;
  });
}

/** An answer to a fetch from offset 5 with these batches, of a partition that ends at 10. */
export function fetched(batches: Uint8Array, more: object = {}): Lie {
  return {
    fields: ({ topics: [{ partitions: [partition] }] }) =>
      Object.assign(partition, { highWatermark: 10, lastStableOffset: 10, batches, ...more }),
  };
}

/** A batch of one record at offset 5, changed, with a checksum that fits. */
export function batch(change: (batch: Buffer) => void = () => {}): Uint8Array {
  const bytes = encodeBatch([record]);
  bytes.writeBigInt64BE(5n, 0);
  change(bytes);
  bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17);
  return bytes;
}

/** A message at offset 5 in the format before record batches. */
export function oldMessage(magic: 0 | 1): Buffer {
  const bytes = Buffer.alloc(34);
  bytes.writeBigInt64BE(5n, 0);
  bytes.writeInt32BE(22, 8);
  bytes.writeInt8(magic, 16);
  return bytes;
}

export function metadata(change: (answer: Metadata) => void): Lie {
  return { fields: change };
}

export interface Metadata {
  brokers: { nodeId: number; host: string; port: number }[];
  topics: {
    name: string;
    topicId: string;
    partitions: { partition: number; leaderId: number }[];
  }[];
  controllerId: number;
}
