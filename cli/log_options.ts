// Options for log and topic.
import { isHost } from "../runtime/base/access.ts";
import { parseEmbeddedUrl } from "../runtime/log/embedded/url.ts";
import { LogError, type TopicLog } from "../runtime/log/log.ts";
import { DEFAULT_LOG, openLog } from "../runtime/log/open.ts";
import { type Options, UsageError } from "./command.ts";

export { DEFAULT_LOG, DEFAULT_TOPIC } from "../runtime/log/open.ts";
/**
 * Frames are outside V8's heap; with its default, four times as many would accumulate before a collection.
 */
export const SMALL_HEAP = "--max-semi-space-size=4";

export const logOption = {
  log: {
    value: "URI",
    help: "embedded:DIR or kafka://host:port[,host:port]",
    default: DEFAULT_LOG,
    parse: parseLog,
    opens: "log",
  },
} as const satisfies Options;

function parseLog(text: string): string {
  if (text.startsWith("embedded:")) parseEmbeddedUrl(text);
  else if (!/^kafka:\/\/(?:.*@)?([^/?@]+)/s.exec(text)?.[1]?.split(",").every(isHost)) {
    throw new Error("expected embedded:DIR or kafka://host:port[,host:port]");
  }
  return text;
}

/**
 * Opens a log, without connecting.
 *
 * @param checkpointDir see `OpenLogOptions`
 * @throws {UsageError} if the URL is invalid
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
