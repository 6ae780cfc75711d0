// The `webhook:URL` sink: posts findings and alerts to a URL.
import { createHash } from "node:crypto";
import { hostsOf } from "../base/access.ts";
import { LONGEST_MS } from "../base/clock.ts";
import { splitPath } from "../base/folders.ts";
import { learnSecrets } from "../base/mask.ts";
import { checkOptions } from "../base/fields.ts";
import { FOLDER, given, oneOf, type OptionRows, range, TEXT, whole } from "../base/options.ts";
import { checkOutput } from "../definition/result.ts";
import type { Sink } from "../definition/sink.ts";

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
  /** Time limit of a try, milliseconds. Default 10 000. */
  readonly timeoutMs?: number;
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
  timeoutMs: range({ min: 0, max: LONGEST_MS, above: true }),
  deadLetters: TEXT,
  directory: FOLDER,
};

/**
 * Posts a `Result` as JSON for each finding, at least once, in order for each partition. Pending
 * deliveries are durable, so that neither a slow receiver nor a crash loses an alert. Where 1 000, or
 * 64 MiB, are pending the partition waits up to 5 s; then further ones are dead-lettered. At the end they
 * get 3 s; the rest follows at the next start.
 *
 * Headers: `x-framelane-delivery` (the same for repetitions of the same finding) and, with a
 * secret, `x-framelane-timestamp` and `x-framelane-signature`: `sha256=` and the hexadecimal
 * HMAC-SHA256 of `TIMESTAMP.BODY`. Statuses 408, 425, 429 and from 500, and failed connections, are
 * retried after 500 ms at first, or as long as `retry-after` asks, and 30 s at most; any other status
 * except 2xx is final. Redirects are not followed.
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
    timeoutMs = 10_000,
    directory = ".framelane/webhook",
    deadLetters = `${directory}/dead-letters.jsonl`,
  } = options;
  const { url, secret: inUrl } = addressOf(options.url);
  const secret = options.secret ?? inUrl;
  const shown = `${url.origin}/…`;
  checkOptions("post to a webhook", options, ROWS);
  if (secret !== undefined) learnSecrets(secret, { whole: true });
  // A short name that does not reveal the address.
  const digest = createHash("sha256").update(
    only === "findings" ? url.href : `${url.href} ${only}`,
  );
  const name = digest.digest("hex").slice(0, 12);
  return {
    uri: `webhook:${shown}`,
    delivery: "at-least-once",
    place: `${directory}/${name}`,
    opens: {
      writes: [directory, splitPath(deadLetters).folder],
      reaches: hostsOf(url.href),
    },
    check: checkOutput,
    open: async (context) => {
      const { openWebhook } = await import("./files/webhook_task.ts");
      return openWebhook({
        action: `keep what waits for ${shown} in ${JSON.stringify(directory)}`,
        delivery: { url, retries, timeoutMs, ...given({ secret }) },
        directory,
        name,
        only,
        shown,
        deadLetters,
      }, context);
    },
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
      `Cannot post to an address of scheme ${url.protocol.slice(0, -1)}: expected http or https`,
    );
  }
  url.username = "";
  url.password = "";
  url.hash = "";
  return secret === "" ? { url } : { url, secret };
}
