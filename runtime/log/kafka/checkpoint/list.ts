// Lists the checkpoints in the offsets of groups, without taking them over.
import { given } from "../../../base/options.ts";
import { byPlace, listed } from "../../checkpoint.ts";
import { type CheckpointFilter, type CheckpointInfo, LogError } from "../../log.ts";
import type { Cluster } from "../net/cluster.ts";
import { LIST_GROUPS } from "../protocol/groups.ts";
import { checkpointGroup, checkpointOf, decodeMetadata } from "./metadata.ts";
import { ownerOf } from "./owner.ts";
import { committedOffsets } from "./reader.ts";

const ACTION = "Cannot list the checkpoints";

export async function listCheckpoints(
  cluster: Cluster,
  filter: CheckpointFilter,
): Promise<CheckpointInfo[]> {
  const groups = (await groupNames(cluster)).filter((group) =>
    filter.group === undefined || group === filter.group || group.startsWith(`${filter.group}/`)
  );
  const found = (await Promise.all(groups.map((group) => checkpointsOf(cluster, group)))).flat();
  const wanted = found.filter(({ query, topic }) =>
    (filter.query ?? query) === query && (filter.topic ?? topic) === topic
  );
  const infos = await Promise.all(wanted.map(async (info) => {
    return { ...info, ...await ownerOf(cluster, ACTION, info) };
  }));
  return infos.sort(byPlace);
}

/** Each broker lists the groups that it coordinates. */
async function groupNames(cluster: Cluster): Promise<string[]> {
  return await cluster.attempt(ACTION, async (signal) => {
    const responses = await Promise.all((await cluster.brokers(signal)).map(async (broker) => {
      const connection = await cluster.connections.get(broker, "main", signal);
      return await connection.call(LIST_GROUPS, { statesFilter: [] }, { signal });
    }));
    return responses.flatMap(({ groups }) => groups.map(({ group }) => group)).sort();
  });
}

async function checkpointsOf(cluster: Cluster, group: string): Promise<CheckpointInfo[]> {
  const found = await committedOffsets(cluster, ACTION, group, null);
  return found.flatMap(({ topic, partition, offset, metadata }) =>
    infoOf({ group, topic, partition }, offset, metadata) ?? []
  );
}

/** Undefined if the offset is another program's, or a copy for lag tools. */
function infoOf(
  place: Pick<CheckpointInfo, "group" | "topic" | "partition">,
  offset: number,
  metadata: string | null,
): CheckpointInfo | undefined {
  const { group, topic, partition } = place;
  try {
    const stored = decodeMetadata(offset, metadata, `${topic} partition ${partition} in ${group}`);
    if (stored === undefined || checkpointGroup(group, stored.query) !== group) return undefined;
    // A state in the state topic counts as empty, since its size is unknown here.
    const both = given({ committed: checkpointOf(stored), planned: stored.planned });
    return { ...place, query: stored.query, queryId: stored.queryId, ...listed(both) };
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    return { ...place, query: queryNamedBy(group), fault: error.message };
  }
}

/** Of `team/motion` and `framelane-motion`: `motion`. */
function queryNamedBy(group: string): string {
  return group.slice(Math.max(group.lastIndexOf("/"), group.lastIndexOf("-")) + 1);
}
