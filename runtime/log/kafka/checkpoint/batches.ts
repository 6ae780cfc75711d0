// Cuts the records of a transaction into batches.
import type { OutputRecord } from "../../log.ts";
import { sizeBound } from "../records/encoder.ts";

/** Below Kafka's default limit of a batch. */
const BATCH_BYTES = 900 * 1024;

/** Records of one partition. */
export type OutputBatch = readonly [OutputRecord, ...OutputRecord[]];

/** `topic/partition` */
export function keyOf({ topic, partition }: OutputRecord): string {
  return `${topic}/${partition}`;
}

export function byPartition(records: readonly OutputRecord[]): OutputBatch[] {
  return [...Map.groupBy(records, keyOf).values()] as [OutputRecord, ...OutputRecord[]][];
}

/** @param records of one partition */
export function cutIntoBatches([first, ...others]: OutputBatch): OutputBatch[] {
  let batch: [OutputRecord, ...OutputRecord[]] = [first];
  const batches = [batch];
  let size = sizeBound(batch);
  for (const record of others) {
    const added = sizeBound([record]);
    if (size + added > BATCH_BYTES) {
      batches.push(batch = [record]);
      size = added;
    } else {
      batch.push(record);
      size += added;
    }
  }
  return batches;
}
