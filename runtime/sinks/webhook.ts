// The `webhook:URL` sink: findings and alerts to a web address.
import { isFinding, type Output, outputName } from "../definition/frame.ts";
import type { BatchRange } from "../log/log.ts";
import { hostsOf } from "../base/access.ts";
import { learnSecrets } from "../base/mask.ts";
import {
  ABOVE_ZERO,
  checkOptions,
  FOLDER,
  FROM_ZERO,
  oneOf,
  type OptionRows,
  TEXT,
  whole,
} from "../base/options.ts";
import { Notifier, waitAtMost } from "../base/wait.ts";
import { Deliverer } from "./delivery.ts";
import { explained } from "./files/failure.ts";
import { appendDurably, splitPath } from "./files/io.ts";
import { laneKey } from "./files/lane.ts";
import { type Item, Outbox } from "./files/outbox.ts";
import { checkOutput, completeResult } from "../definition/result.ts";
import type { Sink, SinkContext, SinkTask } from "../definition/sink.ts";

/** Options of `webhook`. */
export interface WebhookOptions {
  /** `http:` or `https:`. A password in it (`https://:SECRET@host/path`) is the secret, and is not sent. */
  readonly url: string;
  /** Signs each request. Wins over the one in the URL. */
  readonly secret?: string;
  /** `findings` of windows and alerts (default), `alerts` alone, or `all` outputs. */
  readonly only?: "findings" | "alerts" | "all";
  /** Tries after the first one; then the body goes to the dead letters. Default 6. */
  readonly retries?: number;
  /** Delay before the second try, milliseconds; doubles from try to try. Default 500. */
  readonly minDelayMs?: number;
  /** Longest delay. Default 30 000. */
  readonly maxDelayMs?: number;
  /** How long one try may take. Default 10 000. */
  readonly timeoutMs?: number;
  /** Bodies that wait for delivery; with more than that the partition waits … Default 1 000. */
  readonly maxWaiting?: number;
  /** … but no longer than this; then they go to the dead letters. Default 5 000. */
  readonly maxBlockMs?: number;
  /** How long a query that stops waits for deliveries; the rest is delivered at the next start. Default 3 000: after 5 000 the process ends. */
  readonly maxCloseMs?: number;
  /** Lines of JSON for what could not be delivered. Default `.framelane/webhook/dead-letters.jsonl`. */
  readonly deadLetters?: string;
  /** Folder for what waits. Default `.framelane/webhook`. */
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
 * Posts a `Result` as JSON for each finding, at least once, in order for each partition. What waits
 * for delivery is durable, so that neither a slow receiver nor a crash costs an alert, and the
 * partition never waits longer than `maxBlockMs`.
 *
 * Headers: `x-framelane-delivery` (the same for repetitions of the same finding) and, with a secret,
 * `x-framelane-timestamp` and `x-framelane-signature`: `sha256=` and the hexadecimal HMAC-SHA256 of
 * `TIMESTAMP.BODY`. Answers 408, 425, 429 and from 500 on, and connections that fail, are tried
 * again with growing delays; all others but 2xx end the tries. Redirections are not followed.
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
      explained(`keep what waits for ${shown} in ${JSON.stringify(directory)}`, async () => {
        const address = await digest(url.href);
        const box = await Outbox.open(`${directory}/${laneKey(context)}-${address}`, context);
        const deliverer = new Deliverer({
          url,
          ...(secret === undefined ? {} : { secret }),
          clock: context.clock,
          retries,
          minDelayMs,
          maxDelayMs,
          timeoutMs,
        });
        const limits = { maxWaiting, maxBlockMs, maxCloseMs };
        return new WebhookTask(context, box, deliverer, { only, shown, deadLetters, ...limits });
      }),
  };
}

interface TaskOptions {
  readonly only: "findings" | "alerts" | "all";
  /** The address without secrets. */
  readonly shown: string;
  readonly deadLetters: string;
  readonly maxWaiting: number;
  readonly maxBlockMs: number;
  readonly maxCloseMs: number;
}

class WebhookTask implements SinkTask {
  readonly #context: SinkContext;
  readonly #box: Outbox;
  readonly #deliverer: Deliverer;
  readonly #options: TaskOptions;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  #things: { id: string; body: string }[] = [];
  #added: Item[] = [];
  /** Delivers until the box is empty; undefined when nothing waits. */
  #sending: Promise<void> | undefined;
  readonly #delivered = new Notifier();
  #failure: { readonly error: unknown } | undefined;
  #failing = false;

  constructor(context: SinkContext, box: Outbox, deliverer: Deliverer, options: TaskOptions) {
    this.#context = context;
    this.#box = box;
    this.#deliverer = deliverer;
    this.#options = options;
    this.#signal = AbortSignal.any([this.#stop.signal, context.signal]);
    this.#send();
  }

  write(outputs: readonly Output[]): void {
    const { query } = this.#context;
    for (const output of outputs) {
      if (!this.#concerns(output)) continue;
      const body = JSON.stringify(completeResult(output, query));
      this.#things.push({ id: this.#idOf(output), body });
    }
  }

  /** The same for the same output in any run, whatever its batches. */
  #idOf(output: Output): string {
    const { query } = this.#context;
    const id = `${query}-${output.topic}-${output.partition}-${outputName(output)}`;
    // The same again comes only from a program that writes outputs without the runtime.
    const same = this.#things.filter((thing) => thing.id === id || thing.id.startsWith(`${id}#`));
    return same.length === 0 ? id : `${id}#${same.length + 1}`;
  }

  async flush({ batchId, end }: BatchRange): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error;
    const things = this.#things;
    this.#things = [];
    if (things.length === 0) return;
    const waited = await this.#room(things.length);
    const position = { batch: batchId, end };
    const room = waited ? things.length : this.#options.maxWaiting - this.#box.items.length;
    const taken = things.slice(0, Math.max(0, room));
    await this.#explained(async () => {
      this.#added = await this.#box.add(taken.map((thing) => ({ ...thing, position })));
      for (const thing of things.slice(taken.length)) {
        await this.#giveUp(thing, 0, `${this.#options.maxWaiting} others wait for delivery`);
      }
    });
  }

  async committed(): Promise<void> {
    const added = this.#added;
    this.#added = [];
    await this.#explained(() => this.#box.release(added));
    this.#send();
  }

  async close(): Promise<void> {
    const { clock } = this.#context;
    const { maxCloseMs, shown } = this.#options;
    try {
      if (this.#sending !== undefined && !this.#signal.aborted) {
        await waitAtMost(maxCloseMs, this.#sending, clock);
      }
      this.#stop.abort();
      await this.#sending;
      const { length } = this.#box.items;
      if (length > 0) this.#context.report(`${length} for ${shown} wait for the next start`);
    } finally {
      this.#box.close();
    }
  }

  #concerns(output: Output): boolean {
    const { only } = this.#options;
    if (only === "all" || output.result?.alert !== undefined) return true;
    return only === "findings" && isFinding(output);
  }

  /** Waits for room for more deliveries, within a limit; false when there is still none. */
  async #room(count: number): Promise<boolean> {
    const { maxWaiting, maxBlockMs } = this.#options;
    const { clock } = this.#context;
    const fits = () => this.#box.items.length + count <= Math.max(maxWaiting, count);
    const deadline = clock.monotonic() + maxBlockMs;
    while (!fits()) {
      const left = deadline - clock.monotonic();
      if (left <= 0 || this.#signal.aborted) return false;
      await waitAtMost(left, this.#delivered.wait(), clock);
    }
    return true;
  }

  #send(): void {
    if (this.#sending !== undefined || this.#box.items.length === 0) return;
    this.#sending = this.#sendAll()
      .catch((error) => {
        if (!this.#signal.aborted) this.#failure = { error };
      })
      .finally(() => {
        this.#sending = undefined;
        this.#delivered.notify();
      });
  }

  async #sendAll(): Promise<void> {
    for (let item = this.#box.items[0]; item !== undefined; item = this.#box.items[0]) {
      const outcome = await this.#deliverer.deliver(item.id, item.body, this.#signal);
      if (outcome.delivered) this.#failing = false;
      else await this.#giveUp(item, outcome.tries, outcome.reason);
      await this.#explained(() => this.#box.strike());
      this.#delivered.notify();
    }
  }

  /** Keeps what could not be delivered. */
  async #giveUp(thing: { id: string; body: string }, tries: number, reason: string) {
    const { deadLetters, shown } = this.#options;
    const { clock, report } = this.#context;
    const line = JSON.stringify({
      time: new Date(clock.now()).toISOString(),
      url: shown,
      delivery: thing.id,
      tries,
      reason,
      body: JSON.parse(thing.body),
    });
    await explained(
      `write dead letters to ${JSON.stringify(deadLetters)}`,
      async () => {
        await Deno.mkdir(splitPath(deadLetters).folder, { recursive: true });
        await appendDurably(deadLetters, `${line}\n`);
      },
    );
    if (!this.#failing) report(`Cannot deliver to ${shown}: ${reason}; see ${deadLetters}`);
    this.#failing = true;
  }

  #explained<T>(work: () => Promise<T>): Promise<T> {
    return explained(`keep what waits for ${this.#options.shown}`, work);
  }
}

/** The address without user information, and the secret that stood there. */
function addressOf(given: string): { url: URL; secret?: string } {
  let url: URL;
  let secret: string;
  try {
    url = new URL(given);
    secret = decodeURIComponent(url.password || url.username);
  } catch (error) {
    // Not repeated in the message: whatever it is, it may hold a secret.
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

/** A short name for an address, which tells nothing of it. */
async function digest(text: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(hash).toHex().slice(0, 12);
}
