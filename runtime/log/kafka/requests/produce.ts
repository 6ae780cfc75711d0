/**
 * One produce request.
 *
 * @module
 */
import type { Connection } from "../connection.ts";
import type { AnswerReader, RequestWriter } from "../wire.ts";
import { Refusals } from "./request.ts";

/** A record batch for one partition. */
export interface ProducePart {
  readonly topic: string;
  readonly partition: number;
  readonly bytes: Uint8Array;
}

/** A produce request to one broker. */
export interface ProduceRequest {
  readonly transactionalId?: string;
  readonly acks: number;
  readonly timeoutMs: number;
  readonly parts: readonly ProducePart[];
}

const PRODUCE = { key: 0, version: 9 };

/**
 * Sends the batches.
 *
 * @returns the first offset of each part, −1 when `acks` is 0.
 * @throws errors of the client: what the broker said of any part fails the request.
 */
export async function produce(connection: Connection, request: ProduceRequest): Promise<number[]> {
  const { acks, parts } = request;
  if (acks === 0) {
    await connection.send(PRODUCE, (to) => writeProduce(to, request));
    return parts.map(() => -1);
  }
  const offsets = await connection.request(
    PRODUCE,
    (to) => writeProduce(to, request),
    readProduced,
  );
  return parts.map(({ topic, partition }) => offsets.get(`${topic}/${partition}`)!);
}

/** Writes the request. */
export function writeProduce(to: RequestWriter, request: ProduceRequest): void {
  const { transactionalId, acks, timeoutMs, parts } = request;
  to.string(transactionalId ?? null).int16(acks).int32(timeoutMs);
  to.structs([...Map.groupBy(parts, ({ topic }) => topic)], ([topic, of]) => {
    to.string(topic).structs(of, ({ partition, bytes }) => to.int32(partition).bytes(bytes));
  });
  to.noTags();
}

/** First offsets by `topic/partition`. */
function readProduced(from: AnswerReader): Map<string, number> {
  const refusals = new Refusals();
  const offsets = new Map<string, number>();
  from.structs(() => {
    const topic = from.string();
    from.structs(() => {
      const place = `${topic}/${from.int32()}`;
      const code = from.int16();
      offsets.set(place, from.int64());
      from.skip(8 + 8); // time of the append, start of the log
      from.structs(() => {
        from.int32();
        from.nullableString();
      });
      refusals.note(code, place, from.nullableString());
    });
  });
  from.skip(4); // throttle time
  from.tags();
  return refusals.over(PRODUCE, offsets);
}
