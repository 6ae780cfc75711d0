// Under which group a query's offsets are kept.
import { folderIdentity } from "./folder_identity.ts";

/**
 * The group of each query: as given (`{query}` stands for its name), or `framelane-{query}`. On
 * Kafka a checkpoint folder holds no offsets, but an identity: other folder, other group, other
 * offsets.
 */
export async function groupNames(
  queries: readonly string[],
  group: string | undefined,
  logUrl: string,
  checkpointDir: string | undefined,
): Promise<Map<string, string>> {
  let pattern = group ?? "framelane-{query}";
  if (group === undefined && checkpointDir !== undefined && logUrl.startsWith("kafka:")) {
    pattern += `-${(await folderIdentity(checkpointDir)).id.slice(0, 8)}`;
  }
  return new Map(queries.map((query) => [query, pattern.replaceAll("{query}", query)]));
}
