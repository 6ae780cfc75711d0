// The group that stores a query's offsets.
import { folderIdentity } from "./folder_identity.ts";

/**
 * The group of each query: as given, with `{query}` replaced by its name, or `framelane-{query}`. On Kafka, a
 * checkpoint folder holds no offsets but an identity that becomes part of the group name, so that another
 * folder means other offsets. A group that is given holds them without the folder.
 */
export async function groupNames(
  queries: readonly string[],
  group: string | undefined,
  logUrl: string,
  checkpointDir: string | undefined,
): Promise<Map<string, string>> {
  let pattern = group ?? "framelane-{query}";
  if (group === undefined && checkpointDir !== undefined && logUrl.startsWith("kafka:")) {
    pattern += await folderEnd(checkpointDir);
  }
  return new Map(queries.map((query) => [query, pattern.replaceAll("{query}", query)]));
}

/** The end of the groups whose checkpoints a folder finds on Kafka. */
export async function folderEnd(directory: string): Promise<string> {
  return `-${(await folderIdentity(directory)).id.slice(0, 8)}`;
}
