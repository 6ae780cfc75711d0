// The order in which checkpoints are listed.
import type { CheckpointInfo } from "./log.ts";

/** Compares by group, query, topic and partition. */
export function byPlace(a: CheckpointInfo, b: CheckpointInfo): number {
  return compare(a.group, b.group) || compare(a.query, b.query) || compare(a.topic, b.topic) ||
    a.partition - b.partition;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
