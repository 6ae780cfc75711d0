/**
 * One produce request.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { produceV9, Writer } from "./client.ts";
import type { Connection } from "./connections.ts";

/** A record batch for one partition. */
export interface ProducePart {
  readonly topic: string;
  readonly partition: number;
  readonly bytes: Buffer;
}

/** A produce request to one broker. */
export interface ProduceRequest {
  readonly transactionalId?: string;
  readonly acks: number;
  readonly timeoutMs: number;
  readonly parts: readonly ProducePart[];
}

const PRODUCE = 0;
const VERSION = 9;

/**
 * Sends the batches.
 *
 * @returns the first offset of each part, −1 when `acks` is 0.
 * @throws errors of the client: what the broker said of any part fails the request.
 */
export function produce(connection: Connection, request: ProduceRequest): Promise<number[]> {
  const { transactionalId, acks, timeoutMs, parts } = request;
  const topics = new Map<string, ProducePart[]>();
  for (const part of parts) {
    const known = topics.get(part.topic);
    if (known === undefined) topics.set(part.topic, [part]);
    else known.push(part);
  }
  return new Promise((resolve, reject) => {
    connection.send<produceV9.ProduceResponse>(
      PRODUCE,
      VERSION,
      () => {
        const writer = Writer.create()
          .appendString(transactionalId ?? null)
          .appendInt16(acks)
          .appendInt32(timeoutMs)
          .appendArray([...topics], (w, [topic, of]) => {
            w.appendString(topic).appendArray(of, (inner, { partition, bytes }) => {
              inner.appendInt32(partition).appendUnsignedVarInt(bytes.length + 1).append(bytes);
            });
          })
          .appendTaggedFields();
        if (acks === 0) writer.context["noResponse"] = true;
        return writer;
      },
      produceV9.parseResponse,
      true,
      true,
      (error, response) => {
        if (error !== null) return reject(error);
        if (acks === 0) return resolve(parts.map(() => -1));
        const offsets = new Map<string, number>();
        for (const { name, partitionResponses } of response!.responses) {
          for (const { index, baseOffset } of partitionResponses) {
            offsets.set(`${name}/${index}`, Number(baseOffset));
          }
        }
        resolve(parts.map(({ topic, partition }) => offsets.get(`${topic}/${partition}`)!));
      },
    );
  });
}
