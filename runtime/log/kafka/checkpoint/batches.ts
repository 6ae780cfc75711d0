// Cuts the records of a transaction into batches.
import type { OutputRecord } from "../../log.ts";
import { byTopic } from "../protocol/groups.ts";
import { sizeBound } from "../records/encoder.ts";

/** Below Kafka's default limit of a batch. */
const BATCH_BYTES = 900 * 1024;

export interface OutputBatch {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly OutputRecord[];
  readonly sequence: number;
}

/** @param sequences next sequence number by `topic/partition`; updated */
export function cutIntoBatches(
  records: readonly OutputRecord[],
  sequences: Map<string, number>,
): OutputBatch[] {
  const batches: OutputBatch[] = [];
  const partitions = Map.groupBy(records, ({ topic, partition }) => `${topic}/${partition}`);
  for (const [key, of] of partitions) {
    const { topic, partition } = of[0]!;
    let sequence = sequences.get(key) ?? 0;
    let batch: OutputRecord[] = [];
    let size = 0;
    const cut = () => {
      if (batch.length === 0) return;
      batches.push({ topic, partition, records: batch, sequence });
      sequence += batch.length;
      batch = [];
      size = 0;
    };
    for (const record of of) {
      const bytes = sizeBound([record]);
      if (size + bytes > BATCH_BYTES) cut();
      batch.push(record);
      size += bytes;
    }
    cut();
    sequences.set(key, sequence);
  }
  return batches;
}

export function partitionsByTopic(
  batches: readonly OutputBatch[],
): { readonly name: string; readonly partitions: number[] }[] {
  return byTopic(batches).map(({ name, partitions }) => ({
    name,
    partitions: [...new Set(partitions.map(({ partition }) => partition))],
  }));
}
