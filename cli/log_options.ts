// Options for log and topic.
import { exists } from "../runtime/base/folders.ts";
import { given } from "../runtime/base/options.ts";
import { aborted } from "../runtime/base/wait.ts";
import { parseEmbeddedUrl } from "../runtime/log/embedded/url.ts";
import { LogError, type TopicLog } from "../runtime/log/log.ts";
import {
  checkLogUrl,
  DEFAULT_LOG,
  DEFAULT_TOPIC,
  maskLogUrl,
  openLog,
} from "../runtime/log/open.ts";
import { type CommandContext, type Options, orUsageError } from "./command.ts";

export { DEFAULT_LOG, DEFAULT_TOPIC };

/** What commands need that run queries. */
export const RUNTIME_NEEDS = {
  native: ["jpeg", "sharp", "ffmpeg", "onnx"],
  // For sinks that a query names itself.
  writes: [".framelane"],
  // For the free space of the log's disk, by which segments are as small as they must be there.
  sys: ["statfs"],
  // Frames are outside V8's heap; with its default, four times as many would accumulate before a collection.
  v8: "--max-semi-space-size=4",
} as const;

export const logOption = {
  log: {
    value: "URI",
    help: "embedded:DIR or kafka://host:port[,host:port]",
    default: DEFAULT_LOG,
    parse: checkLogUrl,
    show: maskLogUrl,
    opens: "log",
  },
} as const satisfies Options;

/**
 * Opens a log, without connecting.
 *
 * @param say reports the warnings of the log
 * @param checkpointDir see `OpenLogOptions`
 * @throws {UsageError} if the URL is invalid
 */
export async function openLogOrUsageError(
  url: string,
  { say }: Pick<CommandContext, "say">,
  checkpointDir?: string,
): Promise<TopicLog> {
  const onWarning = (line: string) => say(line, "warn");
  return await orUsageError(openLog(url, { onWarning, ...given({ checkpointDir }) }));
}

/** Whether there is a log; says so if there is none. A command that only reads makes none. */
export async function logIsThere(
  url: string,
  { say }: Pick<CommandContext, "say">,
): Promise<boolean> {
  if (!url.startsWith("embedded:")) return true;
  const { dir } = parseEmbeddedUrl(url);
  // Opening one that may not be looked at reports why.
  if (await exists(`${dir}/log.db`).catch(() => true)) return true;
  say(`No log in ${dir}: expected the folder of an existing one`, "error");
  return false;
}

/**
 * Asks the log once, so that a command ends at its start if the log refuses it. An unreachable log is left to
 * the command, which waits for it.
 *
 * @throws {LogError} that waiting does not mend, such as a wrong password
 */
export async function throwIfRefused(
  log: TopicLog,
  topic = DEFAULT_TOPIC,
  signal?: AbortSignal,
): Promise<void> {
  const asked = log.partitionCount(topic).catch((error) => {
    if (!(error instanceof LogError) || !error.retryable) throw error;
  });
  await (signal === undefined ? asked : Promise.race([asked, aborted(signal)]));
}
