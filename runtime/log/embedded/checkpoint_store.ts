// Sets of checkpoints: the log's own, or those of a folder (`--checkpoint DIR`). All are in the
// log's database, so that outputs and checkpoint are one transaction; the folder holds the identity
// by which they are found.
import { messageOf } from "../../base/errors.ts";
import { corrupt } from "../checkpoint_plan.ts";
import { LogError } from "../log.ts";
import { folderIdentity } from "../folder_identity.ts";
import { storageError, storageFault } from "./errors.ts";

export interface CheckpointStore {
  /** Empty for the log's own. */
  readonly id: string;
  /** Display name. */
  readonly name: string;
}

/**
 * The checkpoints of a folder; a new folder gets an identity, and with it a first start.
 *
 * @param holds whether the log holds checkpoints of a set: a copy of a log has its own identity, and the same ones
 * @throws {LogError} `INVALID` when they belong to another log, `CHECKPOINT_CORRUPT` when the
 * identity is damaged.
 */
export async function storeOf(
  dir: string,
  logId: string,
  holds: (id: string) => Promise<boolean> = () => Promise.resolve(false),
): Promise<CheckpointStore> {
  try {
    const { id, log } = await folderIdentity(dir, logId);
    if (log !== undefined && log !== logId && !await holds(id)) {
      throw new LogError(
        "INVALID",
        `Cannot continue with the checkpoints of ${dir}: they belong to log ${log}, this is log ${logId}; use another ` +
          "--checkpoint or --group, or remove that folder to start over",
      );
    }
    return { id, name: dir };
  } catch (error) {
    if (error instanceof LogError) throw error;
    if (storageFault(error) === "other") throw corrupt(dir, messageOf(error), error);
    throw storageError(error, `open the checkpoints in ${dir}`, dir);
  }
}
