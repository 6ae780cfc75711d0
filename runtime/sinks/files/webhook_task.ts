// The task of `webhook:URL`, loaded with the first such sink.
import { messageOf } from "../../base/errors.ts";
import { splitPath } from "../../base/folders.ts";
import { Notifier, waitAtMost } from "../../base/wait.ts";
import { isFinding, type Output, outputName } from "../../definition/frame.ts";
import { completeResult } from "../../definition/result.ts";
import type { SinkContext, SinkTask } from "../../definition/sink.ts";
import type { BatchRange } from "../../log/log.ts";
import { deliver, type DeliveryOptions, type Refusal } from "../delivery.ts";
import { withFileErrors } from "./failure.ts";
import { appendDurably } from "./io.ts";
import { laneKey } from "./lane.ts";
import { type Item, Outbox } from "./outbox.ts";

/** Most deliveries, and characters of them, that wait before the partition waits … */
const MAX_WAITING = 1000;
const MAX_WAITING_LENGTH = 64 * 1024 * 1024;
/** … but no longer than this; then they are dead-lettered. */
const MAX_BLOCK_MS = 5000;
/** How long to wait for deliveries at the end; the rest follows at the next start. */
const MAX_CLOSE_MS = 3000;

/** Options of `webhook` with defaults. */
export interface WebhookTaskOptions {
  /** What an error of its files says that it could not do. */
  readonly action: string;
  readonly only: "findings" | "alerts" | "all";
  readonly shown: string;
  readonly deadLetters: string;
  readonly delivery: Omit<DeliveryOptions, "clock">;
  readonly directory: string;
  /** Of the outbox: one address and choice of outputs. */
  readonly name: string;
}

export async function openWebhook(
  options: WebhookTaskOptions,
  context: SinkContext,
): Promise<SinkTask> {
  const { action, directory, name } = options;
  const folder = `${directory}/${laneKey(context, `-${name}`)}`;
  const box = await withFileErrors(action, () => Outbox.open(folder, context));
  return new WebhookTask(context, box, options);
}

interface Thing {
  readonly id: string;
  readonly body: string;
}

/** How many of some more deliveries may wait: all, if none waits. */
function roomFor(things: readonly Thing[], waiting: readonly Thing[]): number {
  if (waiting.length === 0) return things.length;
  let length = waiting.reduce((sum, { body }) => sum + body.length, 0);
  const end = things.findIndex(({ body }, index) =>
    waiting.length + index >= MAX_WAITING || (length += body.length) > MAX_WAITING_LENGTH
  );
  return end === -1 ? things.length : end;
}

class WebhookTask implements SinkTask {
  readonly #context: SinkContext;
  readonly #box: Outbox;
  readonly #options: WebhookTaskOptions;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  #things: Thing[] = [];
  /** How often each id is in them. */
  readonly #ids = new Map<string, number>();
  #added: Item[] = [];
  /** Delivers until the outbox is empty; undefined if nothing waits. */
  #sending: Promise<void> | undefined;
  readonly #delivered = new Notifier();
  #failure: { readonly error: unknown } | undefined;
  #failing = false;

  constructor(context: SinkContext, box: Outbox, options: WebhookTaskOptions) {
    this.#context = context;
    this.#box = box;
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

  /** The id of an output, which does not depend on the run or its batches. */
  #idOf(output: Output): string {
    const { query } = this.#context;
    const id = `${query}-${output.topic}-${output.partition}-${outputName(output)}`;
    // A frame may come again, as of windows that overlap.
    const times = (this.#ids.get(id) ?? 0) + 1;
    this.#ids.set(id, times);
    return times === 1 ? id : `${id}#${times}`;
  }

  async flush({ batchId, end }: BatchRange): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error;
    const things = this.#things;
    this.#things = [];
    this.#ids.clear();
    if (things.length === 0) return;
    const taken = things.slice(0, await this.#roomFor(things));
    const position = { batch: batchId, end };
    await withFileErrors(this.#options.action, async () => {
      this.#added = await this.#box.add(taken.map((thing) => ({ ...thing, position })));
      for (const thing of things.slice(taken.length)) {
        const reason = `${this.#box.items.length} deliveries are waiting`;
        await this.#deadLetter(thing, { tries: 0, reason });
      }
    });
  }

  async committed(): Promise<void> {
    const added = this.#added;
    this.#added = [];
    await withFileErrors(this.#options.action, () => this.#box.release(added));
    this.#send();
  }

  async close(): Promise<void> {
    const { clock } = this.#context;
    const { shown } = this.#options;
    try {
      if (this.#sending !== undefined && !this.#signal.aborted) {
        await waitAtMost(MAX_CLOSE_MS, this.#sending, clock);
      }
      this.#stop.abort();
      await this.#sending;
      const { length } = this.#box.items;
      if (length > 0) {
        const why = this.#failure === undefined ? "" : `: ${messageOf(this.#failure.error)}`;
        this.#context.report(`${length} deliveries to ${shown} wait for the next start${why}`);
      }
    } finally {
      this.#box.close();
    }
  }

  #concerns(output: Output): boolean {
    const { only } = this.#options;
    if (only === "all" || output.result?.alert !== undefined) return true;
    return only === "findings" && isFinding(output);
  }

  /** Waits for room for more deliveries, up to a limit; how many of them there is room for then. */
  async #roomFor(things: readonly Thing[]): Promise<number> {
    const { clock } = this.#context;
    const deadline = clock.monotonic() + MAX_BLOCK_MS;
    for (;;) {
      // They come again with their batch.
      this.#signal.throwIfAborted();
      const room = roomFor(things, this.#box.items);
      const left = deadline - clock.monotonic();
      if (room === things.length || left <= 0) return room;
      await waitAtMost(left, this.#delivered.wait(), clock);
    }
  }

  #send(): void {
    if (this.#sending === undefined && this.#box.items.length > 0) this.#sending = this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    const options = { ...this.#options.delivery, clock: this.#context.clock };
    try {
      for (let item = this.#box.items[0]; item !== undefined; item = this.#box.items[0]) {
        const refusal = await deliver(options, item.id, item.body, this.#signal);
        if (refusal === undefined) this.#failing = false;
        else await this.#deadLetter(item, refusal);
        await withFileErrors(this.#options.action, () => this.#box.removeOldest());
        this.#delivered.notify();
      }
    } catch (error) {
      if (!this.#signal.aborted) this.#failure = { error };
    }
    // At once after the last look at the outbox: what comes later starts another sender.
    this.#sending = undefined;
    this.#delivered.notify();
  }

  async #deadLetter(thing: Thing, { tries, reason }: Refusal) {
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
    await withFileErrors(
      `write dead letters to ${JSON.stringify(deadLetters)}`,
      async () => {
        await Deno.mkdir(splitPath(deadLetters).folder, { recursive: true });
        await appendDurably(deadLetters, `${line}\n`);
      },
    );
    if (!this.#failing) report(`Cannot deliver to ${shown}: ${reason}; see ${deadLetters}`);
    this.#failing = true;
  }
}
