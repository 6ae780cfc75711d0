// The `webhook:URL` sink: posts findings and alerts to a URL.
import { hostsOf } from "../base/access.ts";
import { splitPath } from "../base/folders.ts";
import { learnSecrets } from "../base/mask.ts";
import { checkOptions } from "../base/fields.ts";
import {
  ABOVE_ZERO,
  FOLDER,
  FROM_ZERO,
  given,
  oneOf,
  type OptionRows,
  TEXT,
  whole,
} from "../base/options.ts";
import { checkOutput } from "../definition/result.ts";
import type { Sink } from "../definition/sink.ts";
import { withFileErrors } from "./files/failure.ts";

/** Options of `webhook`. */
export interface WebhookOptions {
  /** `http:` or `https:`. A password in it (`https://:SECRET@host/path`) is the secret. */
  readonly url: string;
  /** Signs each request. Overrides the one in the URL. */
  readonly secret?: string;
  /** `findings` of windows and alerts (default), `alerts` alone, or `all` outputs. */
  readonly only?: "findings" | "alerts" | "all";
  /** Retries after the first try; then the body is dead-lettered. Default 6. */
  readonly retries?: number;
  /** Delay before the second try, milliseconds; doubles with each try. Default 500. */
  readonly minDelayMs?: number;
  /** Longest delay. Default 30 000. */
  readonly maxDelayMs?: number;
  /** Time limit of a try. Default 10 000. */
  readonly timeoutMs?: number;
  /** The most bodies waiting for delivery, before the partition waits … Default 1 000. */
  readonly maxWaiting?: number;
  /** … but no longer than this; then they are dead-lettered. Default 5 000. */
  readonly maxBlockMs?: number;
  /**
   * How long to wait for deliveries at the end; the rest follows at the next start. Default 3 000
   */
  readonly maxCloseMs?: number;
  /** File of JSON lines for failed deliveries. Default `.framelane/webhook/dead-letters.jsonl`. */
  readonly deadLetters?: string;
  /** Folder of pending deliveries. Default `.framelane/webhook`. */
  readonly directory?: string;
}

const ROWS: OptionRows<Required<WebhookOptions>> = {
  url: TEXT,
  secret: TEXT,
  only: oneOf("findings", "alerts", "all"),
  retries: whole(0),
  minDelayMs: ABOVE_ZERO,
  maxDelayMs: ABOVE_ZERO,
  timeoutMs: ABOVE_ZERO,
  maxWaiting: ABOVE_ZERO,
  maxBlockMs: FROM_ZERO,
  maxCloseMs: FROM_ZERO,
  deadLetters: TEXT,
  directory: FOLDER,
};

/**
 * Posts a `Result` as JSON for each finding, at least once, in order for each partition. Pending
 * deliveries are durable, so that neither a slow receiver nor a crash loses an alert, and the
 * partition never waits longer than `maxBlockMs`.
 *
 * Headers: `x-framelane-delivery` (the same for repetitions of the same finding) and, with a
 * secret, `x-framelane-timestamp` and `x-framelane-signature`: `sha256=` and the hexadecimal
 * HMAC-SHA256 of `TIMESTAMP.BODY`. Statuses 408, 425, 429 and from 500, and failed connections, are
 * retried with increasing delays; any other status except 2xx is final. Redirects are not followed.
 *
 * @example
 * ```ts
 * import { webhook } from "./webhook.ts";
 *
 * const sink = webhook({ url: "https://alarms.example/hook", secret: "s3cret", only: "alerts" });
 * sink.uri; // "webhook:https://alarms.example/…"
 * ```
 */
export function webhook(options: WebhookOptions): Sink {
  const {
    only = "findings",
    retries = 6,
    minDelayMs = 500,
    maxDelayMs = 30_000,
    timeoutMs = 10_000,
    maxWaiting = 1000,
    maxBlockMs = 5000,
    maxCloseMs = 3000,
    directory = ".framelane/webhook",
    deadLetters = `${directory}/dead-letters.jsonl`,
  } = options;
  const { url, secret: inUrl } = addressOf(options.url);
  const secret = options.secret ?? inUrl;
  const shown = `${url.origin}/…`;
  checkOptions("post to a webhook", options, ROWS);
  if (secret !== undefined) learnSecrets(secret, { whole: true });
  return {
    uri: `webhook:${shown}`,
    delivery: "at-least-once",
    opens: {
      writes: [directory, splitPath(deadLetters).folder],
      reaches: hostsOf(url.href),
    },
    check: checkOutput,
    open: (context) =>
      withFileErrors(`keep what waits for ${shown} in ${JSON.stringify(directory)}`, async () => {
        const { openWebhook } = await import("./files/webhook_task.ts");
        return openWebhook({
          delivery: { url, retries, minDelayMs, maxDelayMs, timeoutMs, ...given({ secret }) },
          directory,
          only,
          shown,
          deadLetters,
          maxWaiting,
          maxBlockMs,
          maxCloseMs,
        }, context);
      }),
  };
}

/** Splits an address into its URL without user information, and the secret. */
function addressOf(text: string): { url: URL; secret?: string } {
  let url: URL;
  let secret: string;
  try {
    url = new URL(text);
    secret = decodeURIComponent(url.password || url.username);
  } catch (error) {
    // Not repeated in the message: it may hold a secret.
    throw new RangeError(
      "Cannot post to the given address: expected a URL such as https://host/path",
      { cause: (error as Error).name },
    );
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new RangeError(
      `Cannot post to an address of scheme ${url.protocol}: expected http: or https:`,
    );
  }
  url.username = "";
  url.password = "";
  url.hash = "";
  return secret === "" ? { url } : { url, secret };
}
