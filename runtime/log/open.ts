// Opens a log by its URL.
import { LogError, type TopicLog } from "./log.ts";

/** The embedded log in the current folder. */
export const DEFAULT_LOG = "embedded:.framelane";
/** The topic that cameras publish to. */
export const DEFAULT_TOPIC = "VideoStreaming";

/** How to open a log. */
export interface OpenLogOptions {
  /** How long one request may take before the log counts as unreachable. Default 10 000. */
  readonly timeoutMs?: number;
  /** Where the embedded log keeps checkpoints; its own folder when absent. Kafka keeps them in Kafka. */
  readonly checkpointDir?: string;
}

/**
 * Opens `embedded:DIR` or `kafka://host:port[,host:port]`. Nothing is connected yet: a broker that
 * is away is noticed by the first call.
 *
 * @throws {LogError} `INVALID` when the URL is none of these.
 */
export async function openLog(url: string, options: OpenLogOptions = {}): Promise<TopicLog> {
  const scheme = url.slice(0, url.indexOf(":") + 1);
  switch (scheme) {
    case "embedded:": {
      const { EmbeddedLog } = await import("./embedded/log.ts");
      return new EmbeddedLog(url, options);
    }
    case "kafka:": {
      const { openKafkaLog } = await import("./kafka/log.ts");
      return await openKafkaLog(url, options);
    }
    default:
      throw new LogError(
        "INVALID",
        // Not the whole of it: there may be a password inside.
        `Cannot open a log whose URL begins ${
          JSON.stringify(scheme || url.slice(0, 8))
        }: expected embedded:DIR or kafka://host:port[,host:port]`,
      );
  }
}
