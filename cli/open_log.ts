// Opens the log that a command names.
import { LogError, type TopicLog } from "../runtime/log/log.ts";
import { openLog } from "../runtime/log/open.ts";
import { UsageError } from "./command.ts";

/**
 * Opens a log. Nothing is connected yet.
 *
 * @param checkpointDir see `OpenLogOptions`.
 * @throws {UsageError} when the URL names none.
 */
export async function openLogOrUsageError(
  url: string,
  checkpointDir?: string,
): Promise<TopicLog> {
  try {
    return await openLog(url, checkpointDir === undefined ? {} : { checkpointDir });
  } catch (error) {
    if (error instanceof LogError && error.code === "INVALID") {
      throw new UsageError([error.message]);
    }
    throw error;
  }
}
