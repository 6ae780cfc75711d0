// Lists checkpoints without taking them over.
import { byPlace, listed } from "../checkpoint.ts";
import { type CheckpointFilter, type CheckpointInfo, LogError } from "../log.ts";
import type { CheckpointStore } from "./checkpoint_store.ts";
import type { CheckpointKey, CheckpointRow, Checkpoints } from "./checkpoints.ts";
import { checkpointName } from "./committer.ts";

/** Within a read: the checkpoints of a store that match the filter. */
export function listCheckpoints(
  checkpoints: Checkpoints,
  store: CheckpointStore,
  filter: CheckpointFilter,
): CheckpointInfo[] {
  return checkpoints.list(store.id, filter).map((row) => describe(checkpoints, store, row)).sort(
    byPlace,
  );
}

function describe(
  checkpoints: Checkpoints,
  store: CheckpointStore,
  row: CheckpointRow & CheckpointKey,
): CheckpointInfo {
  const { group, query, topic, partition, queryId, epoch, member } = row;
  const place = { group, query, topic, partition };
  try {
    return {
      ...place,
      queryId,
      ...listed(checkpoints.read(row.id, checkpointName(row, store))),
      owner: { epoch, ...(member === null ? {} : { member }) },
    };
  } catch (error) {
    if (!(error instanceof LogError) || !error.code.startsWith("CHECKPOINT_")) throw error;
    return { ...place, fault: error.message };
  }
}
