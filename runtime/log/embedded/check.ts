// Reads a whole log and counts damaged records.
import type { TopicLog } from "../log.ts";

export interface PartitionCheck {
  readonly topic: string;
  readonly partition: number;
  readonly records: number;
  readonly bytes: number;
  /** Records that cannot be read. */
  readonly damaged: number;
  readonly offsets: readonly number[];
}

/** Most offsets of damaged records to list. */
const namedOffsets = 20;

/** Checks all partitions, one after the other. Records that expire meanwhile are skipped. */
export async function* checkPartitions(
  log: TopicLog,
  signal?: AbortSignal,
): AsyncGenerator<PartitionCheck> {
  for (const topic of await log.topics()) {
    const count = await log.partitionCount(topic);
    for (let partition = 0; partition < count; partition++) {
      yield await checkPartition(log, topic, partition, signal);
    }
  }
}

async function checkPartition(
  log: TopicLog,
  topic: string,
  partition: number,
  signal: AbortSignal | undefined,
): Promise<PartitionCheck> {
  const reader = await log.reader();
  let [records, bytes, damaged] = [0, 0, 0];
  const offsets: number[] = [];
  try {
    const { earliest, latest } = await log.offsets(topic, partition);
    const frames = await reader.open(topic, partition, earliest);
    while (frames.position < latest) {
      const now = await log.offsets(topic, partition);
      if (now.earliest > frames.position) frames.seek(now.earliest);
      const got = await frames.read(256, signal, latest);
      if (got.length === 0) break;
      for (const { offset, value, fault } of got) {
        records++;
        bytes += value.length;
        if (fault === undefined) continue;
        damaged++;
        if (offsets.length < namedOffsets) offsets.push(offset);
      }
    }
  } finally {
    await reader.close();
  }
  return { topic, partition, records, bytes, damaged, offsets };
}
