// Reads a whole log to verify it.
import type { TopicLog } from "../log.ts";

/** Verification result of a partition. */
export interface PartitionCheck {
  readonly topic: string;
  readonly partition: number;
  readonly records: number;
  readonly bytes: number;
  /** Number of unreadable records. */
  readonly damaged: number;
  /** The first damaged offsets. */
  readonly offsets: readonly number[];
}

/** Maximum number of damaged offsets listed. */
const namedOffsets = 20;

/** Reads all partitions of a log, one after the other, skipping records that expire meanwhile. */
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
