// The group that stores a query's offsets.
import { shown } from "../base/options.ts";
import { folderIdentity } from "./folder_identity.ts";
import { LogError } from "./log_error.ts";

/**
 * The group of each query: as given, with `{query}` replaced by its name, or `framelane-{query}`. On Kafka, a
 * checkpoint folder holds no offsets but an identity that becomes part of the group name, so that another
 * folder means other offsets.
 *
 * @throws {LogError} `INVALID` if a group and a folder are given on Kafka: one of them would be ignored
 */
export async function groupNames(
  queries: readonly string[],
  group: string | undefined,
  logUrl: string,
  checkpointDir: string | undefined,
): Promise<Map<string, string>> {
  let pattern = group ?? "framelane-{query}";
  if (checkpointDir !== undefined && logUrl.startsWith("kafka:")) {
    if (group !== undefined) {
      throw new LogError(
        "INVALID",
        `Cannot use group ${shown(group)} with the checkpoint folder ${shown(checkpointDir)} ` +
          "on Kafka, where the folder names the group: expected one of them",
      );
    }
    pattern += await folderEnd(checkpointDir);
  }
  return new Map(queries.map((query) => [query, pattern.replaceAll("{query}", query)]));
}

/** The end of the groups whose checkpoints a folder finds on Kafka. */
export async function folderEnd(directory: string): Promise<string> {
  return `-${(await folderIdentity(directory)).id.slice(0, 8)}`;
}
