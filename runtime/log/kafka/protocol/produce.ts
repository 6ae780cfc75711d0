/**
 * One produce request, written and read by hand.
 *
 * @module
 */
import { errorOf, type Spoken } from "./api.ts";
import { type BrokerError, ResponseError } from "./errors.ts";
import type { RequestWriter, ResponseReader } from "./wire.ts";

/** A record batch for one partition. */
export interface PartitionBatch {
  readonly topic: string;
  readonly partition: number;
  readonly bytes: Uint8Array;
}

/** A produce request to one broker. */
export interface ProduceRequest {
  readonly transactionalId?: string;
  readonly acks: number;
  /** How long the broker waits for replicas. */
  readonly timeoutMs: number;
  readonly batches: readonly PartitionBatch[];
}

export const PRODUCE: Spoken = {
  name: "Produce",
  key: 0,
  versions: [3, 9],
  flexible: 9,
  outcomes: { INVALID_TXN_STATE: "fatal", INVALID_PRODUCER_ID_MAPPING: "new-producer-id" },
};

/** Writes the request. */
export function writeProduce(
  to: RequestWriter,
  { transactionalId = undefined, acks, timeoutMs, batches }: ProduceRequest,
  version: number,
): void {
  const topics = [...Map.groupBy(batches, ({ topic }) => topic)];
  if (version >= PRODUCE.flexible) {
    to.string(transactionalId ?? null).int16(acks).int32(timeoutMs);
    to.structs(topics, ([topic, of]) => {
      to.string(topic).structs(of, ({ partition, bytes }) => to.int32(partition).bytes(bytes));
    });
    to.noTags();
  } else {
    to.string16(transactionalId ?? null).int16(acks).int32(timeoutMs).int32(topics.length);
    for (const [topic, of] of topics) {
      to.string16(topic).int32(of.length);
      for (const { partition, bytes } of of) to.int32(partition).bytes32(bytes);
    }
  }
}

/** What came of a produce request. */
export interface Produced {
  /** First offset of each batch, by `topic/partition`. */
  readonly offsets: ReadonlyMap<string, number>;
  readonly throttleTimeMs: number;
}

/**
 * Reads the response.
 *
 * @throws {ResponseError} when the broker refused any of it.
 */
export function readProduced(from: ResponseReader, version: number): Produced {
  const compact = version >= PRODUCE.flexible;
  const errors: BrokerError[] = [];
  const offsets = new Map<string, number>();
  const list = (read: () => void) => compact ? from.structs(read) : from.list32(read);
  const text = () => compact ? from.nullableString() : from.nullableString16();
  list(() => {
    const topic = text();
    list(() => {
      const place = `${topic}/${from.int32()}`;
      const code = from.int16();
      offsets.set(place, from.int64());
      from.skip(version >= 5 ? 8 + 8 : 8); // time of the append, start of the log
      const reasons: string[] = [];
      let message: string | null = null;
      if (version >= 8) {
        list(() => {
          from.int32();
          reasons.push(text() ?? "");
        });
        message = text();
      }
      const error = errorOf(PRODUCE, code, place, message ?? reasons[0]);
      if (error !== undefined) errors.push(error);
    });
  });
  const throttleTimeMs = from.int32();
  if (compact) from.tags();
  if (errors.length > 0) throw new ResponseError(PRODUCE.name, errors, offsets);
  return { offsets, throttleTimeMs };
}
