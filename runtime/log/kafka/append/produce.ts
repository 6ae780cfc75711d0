// Sending a record batch to the broker that leads its partition.
import type { Connection, RequestOptions } from "../net/connection.ts";
import { brokerErrors, NetworkError } from "../protocol/errors.ts";
import { PRODUCE } from "../protocol/records.ts";

/** A record batch, and how it is appended. */
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
 * Sends one batch.
 *
 * @returns its first offset; −1 when that is not known: `acks` is 0, or it was stored by an earlier try and the
 * broker has forgotten where.
 * @throws {ResponseError} when the broker refuses it; what `Connection.request` throws.
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
    if (stored === undefined) throw new NetworkError(`its answer to Produce is not about ${topic}`);
    return stored.offset;
  } catch (error) {
    if (brokerErrors(error).some(({ outcome }) => outcome === "done")) return -1;
    throw error;
  }
}
