// The sinks of one streaming query at work on one partition: the one place where outputs are
// written.
import { codeOf, messageOf, type Place, placeOf, placeText, stackOf } from "../base/errors.ts";
import { isRetryable } from "../base/wait.ts";
import type { Output } from "../definition/frame.ts";
import type { Sink, SinkContext, SinkTask } from "../definition/sink.ts";
import type { BatchRange, OutputRecord } from "../log/log.ts";
import type { CalledWith, CallUser, PicturePort } from "./options.ts";
import type { OpenCalls } from "./open_calls.ts";
import { least, recordsOf, restartOffsetOf, taskOf } from "./answers.ts";

export interface SinkSetOptions {
  readonly context: SinkContext;
  readonly pictures: PicturePort;
  /** Duration of one write, milliseconds. */
  readonly onWrite: (uri: string, ms: number) => void;
  readonly call: CallUser;
  readonly open: OpenCalls;
  /** A function that must not run twice at once begins or ends. */
  readonly onFunction?: ((atWork: boolean) => void) | undefined;
}

/** A sink failed on a batch, or could not be opened; `stack` is that of the cause. */
export class SinkFailedError extends Error {
  override readonly name = "SinkFailedError";
  readonly sink: string;
  /** The user's own file and line, if the stack has them. */
  readonly place: Place | undefined;
  /** The code of the cause, and whether a retry may help. */
  readonly code: string | undefined;
  readonly retryable: boolean;

  constructor(
    sink: string,
    { query, topic, partition }: SinkContext,
    batch: BatchRange | undefined,
    cause: unknown,
  ) {
    const place = placeOf(cause);
    const at = batch === undefined
      ? "on opening"
      : `batch ${batch.batchId} (offsets ${batch.start} to ${batch.end - 1})`;
    super(
      `Sink ${sink} of query ${query} failed at ${topic} partition ${partition}, ${at}: ` +
        messageOf(cause) + placeText(place),
      { cause },
    );
    this.sink = sink;
    this.place = place;
    this.code = codeOf(cause);
    this.retryable = isRetryable(cause);
    const stack = stackOf(cause);
    if (stack !== undefined) this.stack = stack;
  }
}

/** A call of a sink, for no single frame. */
const SINK: CalledWith = { step: 0, offset: -1 };

interface OpenSink {
  readonly sink: Sink<unknown>;
  readonly task: SinkTask<unknown>;
}

export class SinkSet {
  /** Whether all sinks are live views: such a query commits once a second. */
  readonly live: boolean;
  /** Whether some sinks are live views. */
  readonly showing: boolean;
  /** Whether a batch must be planned before it runs. */
  readonly needsPlan: boolean;
  readonly #options: SinkSetOptions;
  readonly #sinks: OpenSink[] = [];

  private constructor(sinks: readonly Sink<unknown>[], options: SinkSetOptions) {
    this.live = sinks.every(({ delivery }) => delivery === "live");
    this.showing = sinks.some(({ delivery }) => delivery === "live");
    this.needsPlan = sinks.some(({ needsPlan }) => needsPlan === true);
    this.#options = options;
  }

  static async open(
    sinks: readonly Sink<unknown>[],
    options: SinkSetOptions,
    onClose: (close: () => Promise<void>) => void,
  ): Promise<SinkSet> {
    const set = new SinkSet(sinks, options);
    onClose(() => set.close());
    const { call, context } = options;
    for (const sink of sinks) {
      // A run that was ended meanwhile must not take files over from the next one.
      context.signal.throwIfAborted();
      try {
        set.#sinks.push({ sink, task: taskOf(await call(() => sink.open(context))) });
      } catch (error) {
        throw new SinkFailedError(sink.uri, context, undefined, error);
      }
    }
    return set;
  }

  /**
   * Gives an output to the live sinks at once. It runs for each output: no promise unless a sink
   * makes one.
   */
  show(output: unknown, batch: BatchRange): void | Promise<void> {
    let waiting: void | Promise<void> = undefined;
    for (let i = 0; i < this.#sinks.length; i++) {
      const { sink, task } = this.#sinks[i]!;
      if (sink.delivery !== "live") continue;
      const work = () => {
        if (sink.shows === true) this.#options.pictures.show(output as Output);
        return task.write?.([output], batch);
      };
      waiting = waiting === undefined
        ? this.#call(sink, batch, work)
        : waiting.then(() => this.#call(sink, batch, work));
    }
    return waiting;
  }

  /** All others take a batch and make it durable; returns the records to commit with the checkpoint. */
  async write(outputs: readonly unknown[], batch: BatchRange): Promise<OutputRecord[]> {
    const { signal, topic } = this.#options.context;
    const records: OutputRecord[] = [];
    const call = async (sink: Sink<unknown>, work: () => void | Promise<void>) => {
      // A run that was ended meanwhile must not write beside the next one.
      signal.throwIfAborted();
      await this.#call(sink, batch, work);
    };
    for (const { sink, task } of this.#sinks) {
      if (task.records !== undefined) {
        const made = () => recordsOf(task.records!(outputs, batch), topic);
        await call(sink, () => made().forEach((record) => records.push(record)));
      }
      if (sink.delivery !== "live" && task.write !== undefined && outputs.length > 0) {
        await call(sink, () => task.write!(outputs, batch));
      }
    }
    for (const { sink, task } of this.#sinks) {
      if (task.flush !== undefined) await call(sink, () => task.flush!(batch));
    }
    return records;
  }

  /** The oldest source offset whose outputs a sink would need again; undefined if none. */
  restartOffset(batch: BatchRange): number | undefined {
    return least(this.#sinks.map(({ sink, task }) => {
      try {
        return this.#mark(() => restartOffsetOf(task));
      } catch (error) {
        throw new SinkFailedError(sink.uri, this.#options.context, batch, error);
      }
    }));
  }

  async committed(batch: BatchRange): Promise<void> {
    for (const { sink, task } of this.#sinks) {
      if (task.committed !== undefined) await this.#call(sink, batch, () => task.committed!(batch));
    }
  }

  /** Replays an output of a committed batch to sinks that rebuild their state from it. */
  async refeed(output: unknown): Promise<void> {
    for (const { task } of this.#sinks) await this.#mark(() => task.refeed?.([output]));
  }

  /**
   * Closes all at once: a query that is to stop has little time.
   *
   * @throws the first error, once all are closed
   */
  async close(): Promise<void> {
    const closed = await Promise.allSettled(
      this.#sinks.map(async ({ task }) => await this.#mark(() => task.close?.())),
    );
    for (const one of closed) if (one.status === "rejected") throw one.reason;
  }

  /** Marks that the thread runs code of a sink. */
  #mark<T>(work: () => T): T {
    return this.#options.call(work, SINK);
  }

  /** @throws {SinkFailedError} */
  #call(
    sink: Sink<unknown>,
    batch: BatchRange,
    work: () => void | Promise<void>,
  ): void | Promise<void> {
    const { context, onFunction } = this.#options;
    const started = context.clock.monotonic();
    if (sink.exclusive === true) onFunction?.(true);
    let waiting: void | Promise<void>;
    try {
      waiting = this.#mark(work);
    } catch (error) {
      this.#failed(sink, batch, error);
    }
    if (waiting === undefined) return this.#done(sink, started);
    const { batchId, start, end } = batch;
    const ended = this.#options.open.began(
      `Sink ${sink.uri} (batch ${batchId}, offsets ${start} to ${end - 1})`,
    );
    return Promise.resolve(waiting).then(
      () => (ended(), this.#done(sink, started)),
      (error) => (ended(), this.#failed(sink, batch, error)),
    );
  }

  #done(sink: Sink<unknown>, started: number): void {
    const { context, onWrite, onFunction } = this.#options;
    if (sink.exclusive === true) onFunction?.(false);
    onWrite(sink.uri, context.clock.monotonic() - started);
  }

  #failed(sink: Sink<unknown>, batch: BatchRange, error: unknown): never {
    const { context, onFunction } = this.#options;
    if (sink.exclusive === true) onFunction?.(false);
    throw new SinkFailedError(sink.uri, context, batch, error);
  }
}
