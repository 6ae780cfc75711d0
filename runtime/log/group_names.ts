// The group that stores a query's offsets.
import { folderIdentity } from "./folder_identity.ts";

/**
 * The group of each query: as given, with `{query}` replaced by its name, or `framelane-{query}`. On Kafka, a
 * checkpoint folder holds no offsets but an identity that becomes part of the group name, so that another
 * folder means other offsets.
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
