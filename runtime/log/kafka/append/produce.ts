// Sends a record batch to the partition's leader.
import type { Connection, RequestOptions } from "../net/connection.ts";
import { api } from "../protocol/api.ts";
import { brokerErrors } from "../protocol/errors.ts";
import {
  array,
  bytes,
  int16,
  int32,
  int64,
  nullableString,
  since,
  string,
  struct,
} from "../protocol/fields.ts";

export const PRODUCE = api("Produce", 0, [3, 9], 9, {
  request: struct({
    transactionalId: nullableString,
    acks: int16,
    timeoutMs: int32,
    topics: array(
      struct({ name: string, partitions: array(struct({ partition: int32, batches: bytes })) }),
    ),
  }),
  response: struct({
    topics: array(struct({
      name: string,
      partitions: array(struct({
        partition: int32,
        errorCode: int16,
        offset: int64,
        appendTime: int64,
        logStart: since(5, int64, -1),
        recordErrors: since(8, array(struct({ index: int32, message: nullableString })), []),
        errorMessage: since(8, nullableString, null),
      })),
    })),
    throttleTimeMs: int32,
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
