// One operator of a pipeline: calls it, passes on its outputs, and handles its errors.
import { isA } from "../base/errors.ts";
import { given } from "../base/options.ts";
import { Backoff } from "../base/wait.ts";
import { BadFrameError, type Frame } from "../definition/frame.ts";
import {
  arrayOf,
  type Operator,
  type OperatorContext,
  type OperatorTask,
} from "../definition/operator.ts";
import {
  type FailedInput,
  type OperatorAlone,
  OperatorError,
  type OperatorErrorPolicy,
} from "../definition/operator_error.ts";
import { timerOf } from "./answers.ts";
import { type DeadInput, DeadInputs, type StepErrors } from "./dead_inputs.ts";
import { frameOf, numbered, numberOf, offsetOf } from "./identity.ts";
import type { PipelineEvents } from "./options.ts";
import type { StepState } from "./step_states.ts";

/** Delays between the tries of one input, milliseconds. */
const RETRY = { minDelayMs: 50, maxDelayMs: 500 };
/** Timers of one operator in a round, so that frames have their turn. */
const TIMERS_A_ROUND = 64;

export interface StageOptions {
  readonly context: Omit<OperatorContext, "state">;
  readonly events: PipelineEvents;
  readonly policy: OperatorErrorPolicy;
  readonly deadInputs: readonly DeadInput[];
}

/** An operator, the name of its step, and its task on the partition. */
export interface Step {
  /** From 1, in stream order. */
  readonly number: number;
  readonly operator: Operator<unknown, unknown>;
  readonly name: string;
  readonly task: OperatorTask<unknown, unknown>;
}

type Outputs = readonly unknown[];

/** What became of a call: its outputs, or its error. */
type Outcome = Outputs | Failed;

class Failed {
  constructor(readonly error: unknown) {}
}

/** A call whose outputs wait for it, or for those of the calls before it. */
interface UnderWay {
  readonly item: unknown;
  readonly cause: Frame;
  outcome?: Outcome;
}

export class Stage {
  readonly name: string;
  task: OperatorTask<unknown, unknown>;
  readonly dead: DeadInputs;
  readonly #number: number;
  readonly #next: Stage | undefined;
  readonly #limit: number;
  readonly #from: number;
  readonly #oldest: number;
  readonly #stateless: boolean;
  readonly #options: StageOptions;
  readonly #backoff = new Backoff(RETRY);
  /** Timers that the operator sets again and again. */
  readonly #deadTimers = new Set<number>();
  /** Oldest first. */
  readonly #underWay: UnderWay[] = [];
  /** The outputs of the oldest call are on their way. */
  #emitting = false;
  /** Called when a call has left: `push` waits for room, or `settle` until none is under way. */
  #left: (() => void) | undefined;
  #failure: { error: unknown } | undefined;

  /**
   * @param point what the operator was restored to: it sees nothing that was before
   * @param errors errors from the checkpoint
   */
  constructor(
    { number, operator, name, task }: Step,
    next: Stage | undefined,
    { restart, end }: Pick<Required<StepState>, "restart" | "end">,
    errors: StepErrors,
    options: StageOptions,
  ) {
    this.name = name;
    this.task = task;
    this.#number = number;
    this.#next = next;
    this.#limit = operator.kind === undefined ? operator.concurrency ?? 1 : 1;
    this.#stateless = operator.kind === undefined;
    this.#from = this.#stateless ? 0 : restart ?? end;
    this.#oldest = restart ?? 0;
    this.#options = options;
    this.dead = new DeadInputs(name, options.context, options.policy, options.deadInputs, errors);
  }

  push(item: unknown, cause: Frame): void | Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error;
    const offset = offsetOf(item, cause);
    if (cause.offset < this.#from || offset < this.#oldest) return;
    const failed = this.dead.errorOf(offset, numberOf(item));
    if (failed !== undefined) return this.#deadLetter(failed, item, cause);
    const outcome = this.#process(item, cause);
    const inTurn = this.#underWay.length === 0 && !(outcome instanceof Promise);
    return inTurn ? this.#conclude(outcome, item, cause) : this.#await(outcome, item, cause);
  }

  /** Passes the outputs on, or tries again. */
  #conclude(outcome: Outcome, item: unknown, cause: Frame): void | Promise<void> {
    if (outcome instanceof Failed) return this.#retry(item, cause, outcome.error);
    if (this.dead.passed()) this.#backoff.reset();
    return this.emit(outcome, cause);
  }

  /** Calls the operator; neither throws nor rejects. */
  #process(item: unknown, cause: Frame): Outcome | Promise<Outcome> {
    try {
      const offset = offsetOf(item, cause);
      const input = { step: this.#number, offset, number: numberOf(item) };
      const outputs: unknown = this.#options.events.call(() => this.task.process(item), input);
      if (Array.isArray(outputs)) return this.#outcome(outputs, item);
      const ended = this.#began();
      return Promise.resolve(outputs).then(
        (made) => (ended(), this.#outcome(made, item)),
        (error) => (ended(), new Failed(error)),
      );
    } catch (error) {
      return new Failed(error);
    }
  }

  #outcome(outputs: unknown, item: unknown): Outcome {
    try {
      return this.#checked(outputs, item);
    } catch (error) {
      return new Failed(error);
    }
  }

  #began(): () => void {
    return this.#options.events.open.began(`Operator ${this.name}`);
  }

  /**
   * The outputs in a list of ours, since the operator may change its own later.
   *
   * @throws {TypeError} when the next operator, or the sinks, cannot take them.
   */
  #checked(outputs: unknown, input?: unknown): readonly unknown[] {
    const given = arrayOf(outputs as readonly unknown[]);
    const own = given.length === 1 ? [given[0]] : [...given];
    if (this.#next === undefined) {
      for (const output of own) this.#options.events.checkOutput?.(output);
    }
    return numbered(own, input);
  }

  /**
   * The operator failed on an input: tries it again, as the policy says, then makes a dead letter of it.
   * One with state may be half changed: its query starts again from the checkpoint.
   */
  async #retry(item: unknown, cause: Frame, first: unknown): Promise<void> {
    const { context: { clock, signal }, events, policy } = this.#options;
    let error = first;
    for (let tried = 1;; tried++) {
      if (signal.aborted) throw error;
      if (isA(error, BadFrameError)) return events.onBadFrame(frameOf(item, cause), error);
      if (policy.kind !== "dead-letter" || !this.#stateless) {
        throw this.#errorOf(error, this.#inputOf(item, cause));
      }
      if (tried >= policy.tries) return this.#deadLetter(error, item, cause);
      await clock.sleep(this.#backoff.next(), signal);
      const outcome = await this.#process(item, cause);
      if (!(outcome instanceof Failed)) return await this.#conclude(outcome, item, cause);
      error = outcome.error;
    }
  }

  /** @param item the cause, if a timer failed */
  #inputOf(item: unknown, cause: Frame, timer?: number): FailedInput {
    const offset = offsetOf(item, cause);
    return { operator: this.name, offset, ...given({ number: numberOf(item), timer }) };
  }

  /** Calls the task between its inputs. */
  ask<T>(question: (task: OperatorTask<unknown, unknown>) => T): T {
    try {
      return this.#options.events.call(() => question(this.task), { step: 0, offset: -1 });
    } catch (error) {
      throw this.#errorOf(error, { operator: this.name });
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
  #deadLetter(error: unknown, item: unknown, cause: Frame): void {
    const input = this.#inputOf(item, cause);
    const failure = this.#errorOf(error, input);
    this.dead.remember(input);
    if (this.#options.events.onDeadInput(failure, frameOf(item, cause))) this.dead.count(failure);
  }

  /** The outputs wait for those of earlier inputs, and so do retries. Resolves when there is room. */
  #await(outcome: Outcome | Promise<Outcome>, item: unknown, cause: Frame): void | Promise<void> {
    const call: UnderWay = { item, cause };
    this.#underWay.push(call);
    if (outcome instanceof Promise) {
      void outcome.then((ended) => {
        call.outcome = ended;
        void this.#emitEnded();
      });
    } else call.outcome = outcome;
    if (this.#underWay.length >= this.#limit) return this.#until(this.#limit - 1);
  }

  /** Emits the outputs of the oldest calls, up to one that has not ended. `#until` throws its errors. */
  async #emitEnded(): Promise<void> {
    if (this.#emitting) return;
    this.#emitting = true;
    for (let call = this.#underWay[0]; call?.outcome !== undefined; call = this.#underWay[0]) {
      try {
        if (this.#failure === undefined) {
          const emitted = this.#conclude(call.outcome, call.item, call.cause);
          if (emitted !== undefined) await emitted;
        }
      } catch (error) {
        this.#failure = { error };
      }
      this.#underWay.shift();
      this.#left?.();
    }
    this.#emitting = false;
  }

  /**
   * Resolves when at most this many calls are under way.
   *
   * @throws the first error of a call
   */
  #until(most: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#left = () => {
        if (this.#underWay.length > most) return;
        this.#left = undefined;
        if (this.#failure === undefined) resolve();
        else reject(this.#failure.error);
      };
      this.#left();
    });
  }

  emit(outputs: readonly unknown[], cause: Frame): void | Promise<void> {
    if (outputs.length === 1) return this.#pass(outputs[0], cause);
    if (outputs.length > 1) return this.#passAll(outputs, cause);
  }

  async #passAll(outputs: readonly unknown[], cause: Frame): Promise<void> {
    for (const output of outputs) await this.#pass(output, cause);
  }

  #pass(output: unknown, cause: Frame): void | Promise<void> {
    return this.#next !== undefined
      ? this.#next.push(output, cause)
      : this.#options.events.onOutput(output, cause);
  }

  /** The earliest time at which the operator wants to be called, epoch milliseconds; `Infinity` for never. */
  nextTimer(): number {
    // Called for each frame; most operators have none.
    if (this.task.nextTimer === undefined) return Infinity;
    const time = this.ask(timerOf);
    return this.#deadTimers.has(time) ? Infinity : time;
  }

  /** Runs due timers; their outputs count as caused by `cause`. */
  async runTimers(now: number, cause: Frame): Promise<void> {
    for (let calls = 0; calls < TIMERS_A_ROUND; calls++) {
      const due = this.nextTimer();
      if (due > now) return;
      const outputs = await this.#call(() => this.task.onTimer!(now), cause, due);
      if (this.nextTimer() === due) {
        // It would be called endlessly.
        if (!this.dead.holdsTimer(due)) {
          const why = "Cannot set the same timer again after it was called: expected a later time";
          throw this.#errorOf(new RangeError(why), this.#inputOf(cause, cause, due));
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
  async #call(work: () => Outputs | Promise<Outputs>, cause: Frame, timer?: number) {
    const { events, context } = this.#options;
    const ended = this.#began();
    try {
      return this.#checked(await events.call(work, { step: 0, offset: -1 }));
    } catch (error) {
      if (context.signal.aborted) throw error;
      const failure = this.#errorOf(error, this.#inputOf(cause, cause, timer));
      if (timer === undefined || !this.dead.holdsTimer(timer)) throw failure;
      events.onDeadInput(failure);
      return [];
    } finally {
      ended();
    }
  }

  /** Whether calls are under way, or one has failed. */
  get busy(): boolean {
    return this.#underWay.length > 0 || this.#failure !== undefined;
  }

  settle(): Promise<void> {
    return this.#until(0);
  }

  async close(): Promise<void> {
    await this.settle().catch(() => {}); // What ended the lane says it.
    const ended = this.#began();
    try {
      await this.ask((task) => task.close?.());
    } finally {
      ended();
    }
  }
}
