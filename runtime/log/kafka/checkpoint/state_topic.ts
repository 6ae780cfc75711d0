// Operators' state that is too large for the offset's metadata: a record of a compacted topic, written in
// the same transaction.
import { corrupt } from "../../checkpoint_plan.ts";
import { type CommitterOptions, LogError, type OutputRecord } from "../../log.ts";
import type { Cluster } from "../net/cluster.ts";
import { checked } from "../protocol/api.ts";
import { fetchPartitions } from "../read/fetch.ts";
import { BatchDecoder } from "../records/decoder.ts";
import type { StatePlace } from "./metadata.ts";

export const STATE_TOPIC = "__framelane_state";
export const STATE_PARTITIONS = 4;

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

/** @throws {LogError} `UNREACHABLE` if the broker does not know the offset after a retry: the batch is run again */
export function placeOfState(
  action: string,
  partition: number,
  written: ReadonlyMap<string, number>,
): StatePlace {
  const place = partition % STATE_PARTITIONS;
  const offset = written.get(`${STATE_TOPIC}/${place}`) ?? -1;
  if (offset < 0) {
    throw new LogError("UNREACHABLE", `${action}: the offset of its state is unknown`);
  }
  return { partition: place, offset };
}

/** @throws {LogError} `CHECKPOINT_CORRUPT` if the record is missing or damaged */
export async function readState(
  cluster: Cluster,
  action: string,
  { partition, offset }: StatePlace,
  place: string,
): Promise<Uint8Array> {
  return await cluster.attempt(action, async (signal) => {
    const { broker, epoch, topicId } = await cluster.leader(STATE_TOPIC, partition, signal);
    const connection = await cluster.connections.get(broker, "main", signal);
    const wanted = { topic: STATE_TOPIC, topicId, partition, offset, leaderEpoch: epoch };
    const fetched = await fetchPartitions(
      connection,
      [{ ...wanted, fetchedEpoch: -1, maxBytes: 1 }],
      { maxWaitMs: 0, maxBytes: 1 },
      signal,
    );
    const [found] = checked({ name: STATE_TOPIC, partitions: fetched }).partitions;
    if (found === undefined) throw connection.malformed(`Fetch says nothing about ${STATE_TOPIC}`);
    const source = { topic: STATE_TOPIC, partition, from: offset, aborted: found.aborted };
    const { frames: [frame] } = new BatchDecoder(found.batches, source)
      .take({ frames: 1, bytes: Infinity });
    if (frame?.offset === offset && frame.fault === undefined) return frame.value.slice();
    const why = frame?.offset === offset ? `damaged: ${frame.fault!.message}` : "missing";
    const record = `its state at offset ${offset} of ${STATE_TOPIC} partition ${partition}`;
    throw corrupt(`the checkpoint of ${place}`, `${record} is ${why}`);
  });
}
