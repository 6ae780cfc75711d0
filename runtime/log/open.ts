import { maskUrl } from "../base/mask.ts";
import { shown } from "../base/options.ts";
import { parseEmbeddedUrl } from "./embedded/url.ts";
import { maskKafkaUrl, parseKafkaUrl } from "./kafka/net/address.ts";
import { LogError, type OpenLogOptions, type TopicLog } from "./log.ts";

export type { OpenLogOptions } from "./log.ts";

/** The embedded log in the current folder. */
export const DEFAULT_LOG = "embedded:.framelane";
/** The default topic of cameras. */
export const DEFAULT_TOPIC = "VideoStreaming";

/** The URL of a log without its secrets. */
export function maskLogUrl(url: string): string {
  if (url.startsWith("kafka:")) return maskKafkaUrl(url);
  if (url.startsWith("embedded:")) return maskUrl(url);
  // Any other text may hold a password behind a colon.
  const [start] = /^[\w./-]*:?/.exec(url)!;
  return start === url ? url : `${start}…`;
}

/**
 * Checks the URL of a log.
 *
 * @throws {LogError} `INVALID`, naming every fault
 */
export function checkLogUrl(url: string): string {
  const text = String(url); // A program may give anything.
  if (text.startsWith("embedded:")) parseEmbeddedUrl(text);
  else if (text.startsWith("kafka:")) parseKafkaUrl(text);
  else {
    throw new LogError(
      "INVALID",
      `Cannot open log ${shown(maskLogUrl(text))}: ` +
        "expected embedded:DIR or kafka://host:port[,host:port]",
    );
  }
  return url;
}

/**
 * Opens `embedded:DIR` or `kafka://host:port[,host:port]`, without connecting: the first call detects an
 * unreachable broker.
 *
 * @throws {LogError} `INVALID`, naming every fault of the URL
 */
export async function openLog(url: string, options: OpenLogOptions = {}): Promise<TopicLog> {
  if (checkLogUrl(url).startsWith("kafka:")) {
    const { openKafkaLog } = await import("./kafka/log.ts");
    return await openKafkaLog(url, options);
  }
  const { EmbeddedLog } = await import("./embedded/log.ts");
  return new EmbeddedLog(url, options);
}
