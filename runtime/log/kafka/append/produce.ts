/**
 * Sending record batches to the broker that leads their partitions.
 *
 * @module
 */
import type { Connection, RequestOptions } from "../net/connection.ts";
import { brokerErrors } from "../protocol/errors.ts";
import {
  type PartitionBatch,
  PRODUCE,
  type ProduceRequest,
  readProduced,
  writeProduce,
} from "../protocol/produce.ts";

/**
 * Sends the batches.
 *
 * @returns the first offset of each, −1 when `acks` is 0.
 * @throws {ResponseError} when the broker refuses one of them; what `Connection.request` throws.
 */
export async function produce(
  connection: Connection,
  request: ProduceRequest,
  options: RequestOptions = {},
): Promise<number[]> {
  const { acks, batches } = request;
  const as = connection.versions.encoding(PRODUCE);
  const call = { name: PRODUCE.name, key: PRODUCE.key, ...as };
  if (acks === 0) {
    await connection.send(call, (to) => writeProduce(to, request, as.version), options);
    return batches.map(() => -1);
  }
  const { offsets, throttleTimeMs } = await connection.request(
    call,
    (to) => writeProduce(to, request, as.version),
    (from) => readProduced(from, as.version),
    options,
  );
  connection.throttle(throttleTimeMs);
  return batches.map(({ topic, partition }) => offsets.get(`${topic}/${partition}`) ?? -1);
}

/**
 * Sends one batch.
 *
 * @returns its first offset; −1 when that is not known: `acks` is 0, or it was stored by an earlier try and the
 * broker has forgotten where.
 */
export async function produceOne(
  connection: Connection,
  batch: PartitionBatch,
  request: Omit<ProduceRequest, "batches">,
  options: RequestOptions,
): Promise<number> {
  try {
    const [offset] = await produce(connection, { ...request, batches: [batch] }, options);
    return offset!;
  } catch (error) {
    if (brokerErrors(error).some(({ outcome }) => outcome === "done")) return -1;
    throw error;
  }
}
