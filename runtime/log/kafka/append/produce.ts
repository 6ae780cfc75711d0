// Sends a record batch to the partition's leader.
import type { Connection, RequestOptions } from "../net/connection.ts";
import { api } from "../protocol/api.ts";
import { brokerErrors } from "../protocol/errors.ts";
import * as f from "../protocol/fields.ts";

export const PRODUCE = api("Produce", 0, [3, 9], 9, {
  request: f.struct({
    transactionalId: f.nullableString,
    acks: f.int16,
    timeoutMs: f.int32,
    topics: f.array(
      f.struct({
        name: f.string,
        partitions: f.array(f.struct({ partition: f.int32, batches: f.bytes })),
      }),
    ),
  }),
  response: f.struct({
    topics: f.partitions({
      errorCode: f.int16,
      offset: f.int64,
      appendTime: f.int64,
      logStart: f.since(5, f.int64, -1),
      recordErrors: f.since(
        8,
        f.array(f.struct({ index: f.int32, message: f.nullableString })),
        [],
      ),
      errorMessage: f.since(8, f.nullableString, null),
    }),
    throttleTimeMs: f.int32,
  }),
});

interface Batch {
  readonly topic: string;
  readonly partition: number;
  readonly bytes: Uint8Array;
  readonly transactionalId?: string;
  readonly acks: number;
  /** How long the broker waits for replicas. */
  readonly timeoutMs: number;
}

/**
 * @returns the first offset; −1 if `acks` is 0, or a retry was stored before and the broker no longer knows where
 * @throws {ResponseError} also what `Connection.request` throws
 */
export async function produce(
  connection: Connection,
  { topic, partition, bytes, transactionalId, acks, timeoutMs }: Batch,
  options: RequestOptions = {},
): Promise<number> {
  const topics = [{ name: topic, partitions: [{ partition, batches: bytes }] }];
  const request = { transactionalId: transactionalId ?? null, acks, timeoutMs, topics };
  if (acks === 0) {
    await connection.send(PRODUCE, request, options);
    return -1;
  }
  try {
    const response = await connection.call(PRODUCE, request, options);
    const stored = response.topics.find(({ name }) => name === topic)?.partitions
      .find((one) => one.partition === partition);
    if (stored === undefined) throw connection.malformed(`Produce is not about ${topic}`);
    return stored.offset;
  } catch (error) {
    if (brokerErrors(error).some(({ kind }) => kind.outcome === "done")) return -1;
    throw error;
  }
}
