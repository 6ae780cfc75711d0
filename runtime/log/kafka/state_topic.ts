/**
 * Operators' state that does not fit beside a group's offset: a record of a compacted topic, written in
 * the same transaction, found again by its offset.
 *
 * @module
 */
import { type CommitterOptions, LogError, type OutputRecord } from "../log.ts";
import type { StatePlace } from "./checkpoint.ts";
import type { Cluster } from "./cluster.ts";
import { decodeBatches } from "./record_decoder.ts";
import { fetchParts } from "./requests/fetch.ts";

/** Where states are kept. */
export const STATE_TOPIC = "__framelane_state";
export const STATE_PARTITIONS = 4;

/** The record that keeps a state. */
export function stateRecord(
  { topic, partition }: CommitterOptions,
  group: string,
  state: Uint8Array,
): OutputRecord {
  return {
    topic: STATE_TOPIC,
    partition: partition % STATE_PARTITIONS,
    key: `${group}/${topic}/${partition}`,
    value: state,
    timestamp: Date.now(),
    headers: {},
  };
}

/** @throws {LogError} `CHECKPOINT_CORRUPT` when it is not there. */
export async function readState(
  cluster: Cluster,
  action: string,
  { partition, offset }: StatePlace,
  place: string,
): Promise<Uint8Array> {
  return await cluster.attempt(action, async () => {
    const { broker, epoch, topicId } = await cluster.leader(STATE_TOPIC, partition);
    const { parts: [part] } = await fetchParts(
      await cluster.connections.get(broker, "main"),
      [{ topicId, partition, offset, leaderEpoch: epoch, fetchedEpoch: -1, maxBytes: 1 }],
      { maxWaitMs: 0, maxBytes: 1 },
    );
    const { frames: [frame] } = decodeBatches(part?.records ?? new Uint8Array(0), {
      topic: STATE_TOPIC,
      partition,
      from: offset,
      aborted: part?.aborted ?? [],
      limit: { frames: 1, bytes: Infinity },
    });
    if (frame?.offset !== offset) {
      throw new LogError(
        "CHECKPOINT_CORRUPT",
        `Cannot read the checkpoint of ${place}: its state is not at offset ${offset} of ${STATE_TOPIC} partition ${partition}`,
      );
    }
    if (frame.fault !== undefined) {
      throw new LogError(
        "CHECKPOINT_CORRUPT",
        `Cannot read the checkpoint of ${place}: its state at offset ${offset} of ${STATE_TOPIC} partition ${partition} is damaged: ${frame.fault.message}`,
      );
    }
    return frame.value.slice();
  });
}
