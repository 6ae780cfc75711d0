// One operator of a pipeline: calls it, passes on its outputs, and handles its errors.
import { isA } from "../base/errors.ts";
import { Backoff } from "../base/wait.ts";
import { BadFrameError, type Frame } from "../definition/frame.ts";
import type { Operator, OperatorContext, OperatorTask } from "../definition/operator.ts";
import {
  type FailedInput,
  type OperatorAlone,
  OperatorError,
  type OperatorErrorPolicy,
} from "../definition/operator_error.ts";
import { timerOf } from "./answers.ts";
import { numbered } from "./identity.ts";
import type { PipelineEvents } from "./options.ts";
import { type InputAside, PutAside, type StepErrors } from "./put_aside.ts";
import { namedState, type StepState } from "./step_states.ts";

/** Delays between the tries of one input, milliseconds. */
const RETRY = { minDelayMs: 50, maxDelayMs: 500 };
/** Timers of one operator in a round, so that frames have their turn. */
const TIMERS_A_ROUND = 64;

export interface StageOptions {
  readonly context: Omit<OperatorContext, "state">;
  readonly events: PipelineEvents;
  readonly policy: OperatorErrorPolicy;
  readonly aside: readonly InputAside[];
}

/** An operator, the name of its step, and its task on the partition. */
export interface Step {
  /** From 1, in stream order. */
  readonly number: number;
  readonly operator: Operator<unknown, unknown>;
  readonly name: string;
  readonly task: OperatorTask<unknown, unknown>;
}

export class Stage {
  readonly name: string;
  readonly task: OperatorTask<unknown, unknown>;
  readonly observes: string | undefined;
  readonly saved: Pick<StepState, "name" | "kind" | "dropped">;
  readonly #number: number;
  readonly #next: Stage | undefined;
  readonly #limit: number;
  readonly #from: number;
  readonly #stateless: boolean;
  readonly #options: StageOptions;
  readonly #backoff = new Backoff(RETRY);
  readonly #aside: PutAside;
  /** Timers that the operator sets again and again. */
  readonly #deadTimers = new Set<number>();
  #started = 0;
  #ended = 0;
  #underWay = 0;
  #emitted: Promise<void> = Promise.resolve();
  #room: (() => void) | undefined;
  #failure: { error: unknown } | undefined;

  /**
   * @param from the operator sees no frame below this offset
   * @param errors errors from the checkpoint
   */
  constructor(
    { number, operator, name, task }: Step,
    next: Stage | undefined,
    from: number,
    errors: StepErrors,
    options: StageOptions,
  ) {
    this.name = name;
    this.observes = operator.observes;
    this.saved = namedState(name, operator);
    this.task = task;
    this.#number = number;
    this.#next = next;
    this.#limit = operator.kind === undefined ? operator.concurrency ?? 1 : 1;
    this.#from = from;
    this.#stateless = operator.kind === undefined;
    this.#options = options;
    this.#aside = new PutAside(name, options.context, options.policy, options.aside, errors);
  }

  /** See `PutAside.errors`. */
  errors(restart: number): StepErrors | undefined {
    return this.#aside.errors(restart);
  }

  get failedOnAll(): OperatorError | undefined {
    return this.#aside.failedOnAll;
  }

  push(item: unknown, cause: Frame): void | Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (cause.offset < this.#from) return;
    const failed = this.#aside.skipped(cause.offset);
    if (failed !== undefined) {
      return this.#deadLetter(this.#errorOf(failed, this.#inputOf(cause)), cause);
    }
    return this.#limit === 1 ? this.#one(item, cause) : this.#several(item, cause);
  }

  #one(item: unknown, cause: Frame): void | Promise<void> {
    let outputs: readonly unknown[] | Promise<readonly unknown[]>;
    try {
      outputs = this.#process(item, cause);
    } catch (error) {
      return this.#retry(item, cause, error).then((late) => this.emit(late, cause));
    }
    if (!(outputs instanceof Promise)) {
      this.#passed();
      return this.emit(outputs, cause);
    }
    return outputs.then(
      (settled) => {
        this.#passed();
        return this.emit(settled, cause);
      },
      async (error) => await this.emit(await this.#retry(item, cause, error), cause),
    );
  }

  /** Calls the operator, which returns an array of outputs or a promise of one. */
  #process(item: unknown, { offset }: Frame): readonly unknown[] | Promise<readonly unknown[]> {
    this.#started++;
    let outputs: unknown;
    try {
      outputs = this.#options.events.call(() => this.task.process(item), {
        step: this.#number,
        offset,
      });
    } catch (error) {
      this.#ended++;
      throw error;
    }
    if (Array.isArray(outputs)) {
      this.#ended++;
      return this.#checked(outputs, item);
    }
    return Promise.resolve(outputs)
      .finally(() => void this.#ended++)
      .then((settled) => this.#checked(settled, item));
  }

  /** Calls that run and that have ended: one hangs when neither changes. */
  get calls(): { readonly open: number; readonly ended: number } {
    return { open: this.#started - this.#ended, ended: this.#ended };
  }

  /** @throws {TypeError} when the next operator, or the sinks, cannot take them. */
  #checked(outputs: unknown, input?: unknown): readonly unknown[] {
    if (!Array.isArray(outputs)) {
      throw new TypeError(`Cannot use ${typeof outputs} as outputs: expected an array`);
    }
    if (this.#next === undefined) {
      for (const output of outputs) this.#options.events.checkOutput?.(output);
    }
    return numbered(outputs, input);
  }

  #passed(): void {
    if (this.#aside.passed()) this.#backoff.reset();
  }

  /**
   * The operator failed on an input: tries it again, as the policy says, and puts it aside at last.
   * One with state may be half changed: its query starts again from the checkpoint.
   *
   * @returns the outputs of a later try; none if the input was dead-lettered
   */
  async #retry(item: unknown, cause: Frame, first: unknown): Promise<readonly unknown[]> {
    const { context: { clock, signal }, events, policy } = this.#options;
    let error = first;
    for (let tried = 1;; tried++) {
      if (signal.aborted) throw error;
      if (isA(error, BadFrameError)) {
        events.onBadFrame(cause, error);
        return [];
      }
      const failure = this.#errorOf(error, this.#inputOf(cause));
      if (policy.kind !== "dead-letter" || !this.#stateless) throw failure;
      if (tried >= policy.tries) {
        this.#deadLetter(failure, cause);
        return [];
      }
      await clock.sleep(this.#backoff.next(), signal);
      try {
        const outputs = await this.#process(item, cause);
        this.#passed();
        return outputs;
      } catch (again) {
        error = again;
      }
    }
  }

  #inputOf(cause: Frame, timer?: number): FailedInput {
    return { operator: this.name, offset: cause.offset, ...(timer === undefined ? {} : { timer }) };
  }

  /** Asks the task for something between its inputs. */
  ask<T>(question: (task: OperatorTask<unknown, unknown>) => T): T {
    const { events, context } = this.#options;
    try {
      return events.call(() => question(this.task), { step: 0, offset: -1 });
    } catch (error) {
      throw context.signal.aborted ? error : this.#errorOf(error, { operator: this.name });
    }
  }

  #errorOf(error: unknown, input: FailedInput | OperatorAlone): OperatorError {
    const { context, policy } = this.#options;
    return new OperatorError(input, context, error, {
      final: policy.kind === "stop",
      ...(policy.kind === "dead-letter" ? { tries: policy.tries } : {}),
    });
  }

  /** @throws {OperatorError} `OPERATOR_FAILED` at the limit of consecutive failures */
  #deadLetter(failure: OperatorError, cause: Frame): void {
    this.#aside.remember(cause.offset);
    if (this.#options.events.onPutAside(failure, cause)) this.#aside.count(failure);
  }

  async #several(item: unknown, cause: Frame): Promise<void> {
    const outputs = Promise.resolve().then(() => this.#process(item, cause));
    this.#underWay++;
    // Every link handles its own error, so that none is unhandled; `settle` and the next `push`
    // throw the first. Retries wait for their turn.
    const work = outputs.then((settled) => () => {
      this.#passed();
      return settled;
    }, (error) => () => this.#retry(item, cause, error));
    this.#emitted = this.#emitted.then(async () => {
      try {
        if (this.#failure !== undefined) return;
        const settled = await (await work)();
        await this.emit(settled, cause);
      } catch (error) {
        this.#failure ??= { error };
      } finally {
        this.#underWay--;
        this.#room?.();
      }
    });
    while (this.#underWay >= this.#limit) {
      await new Promise<void>((resolve) => this.#room = resolve);
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  emit(outputs: readonly unknown[], cause: Frame): void | Promise<void> {
    if (outputs.length === 1) return this.#pass(outputs[0], cause);
    if (outputs.length > 1) {
      return (async () => {
        for (const output of outputs) await this.#pass(output, cause);
      })();
    }
  }

  #pass(output: unknown, cause: Frame): void | Promise<void> {
    return this.#next !== undefined
      ? this.#next.push(output, cause)
      : this.#options.events.onOutput(output, cause);
  }

  /** The earliest time at which the operator wants to be called; undefined when it does not. */
  nextTimer(): number | undefined {
    // Asked for each frame; most operators have none.
    if (this.task.nextTimer === undefined) return undefined;
    const time = this.ask(timerOf);
    return time !== undefined && this.#deadTimers.has(time) ? undefined : time;
  }

  /** Runs due timers; their outputs count as caused by `cause`. */
  async runTimers(now: number, cause: Frame): Promise<void> {
    for (let calls = 0; calls < TIMERS_A_ROUND; calls++) {
      const due = this.nextTimer();
      if (due === undefined || due > now) return;
      const outputs = await this.#call(() => this.task.onTimer!(now), cause, due);
      if (this.nextTimer() === due) {
        // It would be called endlessly.
        if (!this.#aside.holdsTimer(due)) {
          const why = "Cannot set the same timer again after it was called: expected a later time";
          throw this.#errorOf(new RangeError(why), this.#inputOf(cause, due));
        }
        this.#deadTimers.add(due);
      }
      await this.emit(outputs, cause);
    }
  }

  async finish(cause: Frame, finite: boolean): Promise<void> {
    if (this.task.finish === undefined) return;
    await this.emit(await this.#call(() => this.task.finish!(finite), cause), cause);
  }

  /** A call without a causing frame. */
  async #call(
    work: () => readonly unknown[] | Promise<readonly unknown[]>,
    cause: Frame,
    timer?: number,
  ): Promise<readonly unknown[]> {
    const { events, context } = this.#options;
    this.#started++;
    try {
      return this.#checked(await events.call(work, { step: 0, offset: -1 }));
    } catch (error) {
      if (context.signal.aborted) throw error;
      const failure = this.#errorOf(error, this.#inputOf(cause, timer));
      if (timer === undefined || !this.#aside.holdsTimer(timer)) throw failure;
      events.onPutAside(failure);
      return [];
    } finally {
      this.#ended++;
    }
  }

  async settle(): Promise<void> {
    await this.#emitted;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async close(): Promise<void> {
    await this.#emitted;
    this.#started++;
    try {
      await this.ask((task) => task.close?.());
    } finally {
      this.#ended++;
    }
  }
}
