import { shown } from "../base/options.ts";
import { LogError, type TopicLog } from "./log.ts";

/** The embedded log in the current folder. */
export const DEFAULT_LOG = "embedded:.framelane";
/** The default topic of cameras. */
export const DEFAULT_TOPIC = "VideoStreaming";

/** Options of `openLog`. */
export interface OpenLogOptions {
  /** How long a request may take before the log counts as unreachable, milliseconds. Default 10 000. */
  readonly timeoutMs?: number;
  /** Checkpoint folder of the embedded log; default: its own. Kafka stores checkpoints in Kafka. */
  readonly checkpointDir?: string;
  /**
   * Receives warnings of the embedded log: a clock that was set, a copied folder, a long reader. Default: standard
   * error.
   */
  readonly onWarning?: (message: string) => void;
  /** Whether another instance of this process warns of what every instance meets, such as a clock that was set. */
  readonly secondary?: boolean;
}

/**
 * Opens `embedded:DIR` or `kafka://host:port[,host:port]`, without connecting: the first call detects an
 * unreachable broker.
 *
 * @throws {LogError} `INVALID` if the URL is neither
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
        // Not the whole URL, which may contain a password.
        `Cannot open a log whose URL begins ${
          shown(scheme || url.slice(0, 8))
        }: expected embedded:DIR or kafka://host:port[,host:port]`,
      );
  }
}
