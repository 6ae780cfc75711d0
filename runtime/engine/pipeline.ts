// The chained operators of one streaming query. Items leave in the order they came, however many `process`
// calls of an operator are pending.
import { markAsUntransferable } from "node:worker_threads";
import type { Frame } from "../definition/frame.ts";
import type { LeftOut, Operator, OperatorTask } from "../definition/operator.ts";
import { OperatorError } from "../definition/operator_error.ts";
import type { StateOperatorProgress } from "../definition/progress.ts";
import { restartOffsetOf, snapshotOf } from "./answers.ts";
import { leftOutProgress } from "./left_out.ts";
import type { NamedMetrics } from "./observed.ts";
import type { StepErrors } from "./put_aside.ts";
import { Stage, type StageOptions } from "./stage.ts";
import { matchStates, stepNames, type StepState } from "./step_states.ts";

/** The operators' part of a checkpoint. */
export interface PipelineSnapshot {
  /** Oldest offset to re-read; undefined if none. */
  readonly restart: number | undefined;
  /** State of all operators; undefined if none has any. */
  readonly state: Uint8Array | undefined;
}

type StageState = StepState & StepErrors;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class Pipeline {
  readonly #operators: readonly Operator<unknown, unknown>[];
  readonly #options: StageOptions;
  #stages: readonly Stage[] = [];
  /** The buffer of the newest frame, which must not be transferred to another thread. */
  #protected: ArrayBufferLike | undefined;
  #changes: readonly string[] = [];

  private constructor(
    operators: readonly Operator<unknown, unknown>[],
    options: StageOptions,
  ) {
    this.#operators = operators;
    this.#options = options;
  }

  /**
   * Opens the operators.
   *
   * @param end committed end: a `state` operator sees no frame below it
   * @param saved what `snapshot` returned before the restart
   * @param dropped names of steps whose state the query drops
   * @throws {LogError} `CHECKPOINT_CHANGED` if it is the snapshot of another query
   */
  static async open(
    operators: readonly Operator<unknown, unknown>[],
    options: StageOptions,
    end: number,
    saved?: Uint8Array,
    dropped?: readonly string[],
  ): Promise<Pipeline> {
    const pipeline = new Pipeline(operators, options);
    await pipeline.#open(end, saved, dropped);
    return pipeline;
  }

  /** Differences from the query that wrote the checkpoint, as text. */
  get changes(): readonly string[] {
    return this.#changes;
  }

  /** Abandons what the operators have open and reopens them for frames from `offset` on. */
  async beginAgain(offset: number): Promise<void> {
    await this.close();
    await this.#open(offset);
  }

  async #open(end: number, saved?: Uint8Array, dropped?: readonly string[]): Promise<void> {
    const options = this.#options;
    const { states, changes } = matchStates(
      options.context.query,
      this.#operators,
      saved === undefined
        ? []
        : (JSON.parse(decoder.decode(saved)) as { stages: StageState[] }).stages,
      dropped,
    );
    this.#changes = changes;
    const names = stepNames(this.#operators);
    const tasks: OperatorTask<unknown, unknown>[] = [];
    try {
      for (const [index, operator] of this.#operators.entries()) {
        const state = states[index]?.state;
        const open = () =>
          operator.open({
            ...options.context,
            ...(typeof state === "string" ? { state: fromBase64(state) } : {}),
          });
        tasks.push(await options.events.call(open));
      }
    } catch (error) {
      for (const task of tasks) await task.close?.();
      if (options.context.signal.aborted) throw error;
      throw new OperatorError({ operator: names[tasks.length]! }, options.context, error);
    }
    // Built from the last to the first: each stage knows the next one.
    this.#stages = this.#operators.reduceRight<Stage[]>((later, operator, index) => {
      const state = states[index];
      const from = operator.kind === undefined ? 0 : state?.restart ?? end;
      const step = { number: index + 1, operator, name: names[index]!, task: tasks[index]! };
      return [new Stage(step, later[0], from, state ?? {}, options), ...later];
    }, []);
  }

  /** Processes the next frame; resolves when there is room for another. */
  push(frame: Frame): void | Promise<void> {
    this.#protect(frame);
    const first = this.#stages[0];
    return first === undefined
      ? this.#options.events.onOutput(frame, frame)
      : first.push(frame, frame);
  }

  /** Protects frames from operators: the engine and other frames share the buffer. */
  #protect(frame: Frame): void {
    Object.freeze(frame);
    const { buffer } = frame.value ?? {};
    if (buffer === undefined || buffer === this.#protected) return;
    this.#protected = buffer;
    markAsUntransferable(buffer);
  }

  /**
   * Resolves when every pushed item has left.
   *
   * @throws the first error of an operator
   */
  async settle(): Promise<void> {
    for (const stage of this.#stages) await stage.settle();
  }

  /** State after the batch that ends at `end`; call only after `settle`. */
  snapshot(end: number): PipelineSnapshot {
    const points = this.#stages.map((stage) => stage.ask(restartOffsetOf));
    const needed = points.filter((offset) => offset !== undefined);
    const restart = needed.length === 0 ? undefined : Math.min(...needed);
    let any = restart !== undefined;
    const stages = this.#stages.map((stage, index): StageState => {
      const state = stage.ask(snapshotOf);
      const errors = stage.errors(restart ?? end);
      if (state !== undefined || errors !== undefined) any = true;
      return {
        ...stage.saved,
        restart: points[index] ?? null,
        state: state === undefined ? null : toBase64(state),
        ...errors,
      };
    });
    return {
      restart,
      state: any ? encoder.encode(JSON.stringify({ stages })) : undefined,
    };
  }

  /** Sizes of the operators' state, by name. */
  stateSizes(): StateOperatorProgress[] {
    return this.#stages.flatMap((stage) => {
      const size = stage.ask((task) => task.stateSize?.());
      return size === undefined ? [] : [{
        operatorName: stage.name,
        numRowsTotal: size.items,
        memoryUsedBytes: size.bytes,
        ...leftOutProgress(stage.ask((task) => task.leftOut?.())),
      }];
    });
  }

  /** The operators' user-defined metrics since the last call. */
  observed(): NamedMetrics[] {
    return this.#stages.flatMap((stage) =>
      stage.observes === undefined
        ? []
        : [{ name: stage.observes, metrics: stage.ask((task) => task.observed?.()) ?? [] }]
    );
  }

  /** Frames of this run that are in no window. */
  leftOut(): LeftOut {
    const sum = { late: 0, ahead: 0 };
    for (const stage of this.#stages) {
      const { late = 0, ahead = 0 } = stage.ask((task) => task.leftOut?.()) ?? {};
      sum.late += late;
      sum.ahead += ahead;
    }
    return sum;
  }

  /** The lowest watermark of the operators that have one, as a capture time. */
  watermark(): number | undefined {
    let lowest: number | undefined;
    for (const stage of this.#stages) {
      const time = stage.ask((task) => task.watermark?.());
      if (time !== undefined) lowest = Math.min(lowest ?? time, time);
    }
    return lowest;
  }

  /** The earliest timer of the operators. */
  nextTimer(): number | undefined {
    let earliest: number | undefined;
    for (const stage of this.#stages) {
      const time = stage.nextTimer();
      if (time !== undefined) earliest = Math.min(earliest ?? time, time);
    }
    return earliest;
  }

  /** Runs due timers; their outputs count as caused by `cause`. */
  async runTimers(now: number, cause: Frame): Promise<void> {
    for (const stage of this.#stages) await stage.runTimers(now, cause);
  }

  get failedOnAll(): OperatorError | undefined {
    return this.#stages.map((stage) => stage.failedOnAll).find((error) => error !== undefined);
  }

  /** Open and ended calls, by operator. */
  get calls(): readonly { readonly name: string; readonly open: number; readonly ended: number }[] {
    return this.#stages.map(({ name, calls }) => ({ name, ...calls }));
  }

  /** Whether an operator emits outputs at the end. */
  get finishes(): boolean {
    return this.#stages.some(({ task }) => task.finish !== undefined);
  }

  /** Finishes what operators have open; the outputs count as caused by `cause`. */
  async finish(cause: Frame, finite: boolean): Promise<void> {
    for (const stage of this.#stages) {
      await stage.finish(cause, finite);
      await this.settle();
    }
  }

  async close(): Promise<void> {
    for (const stage of this.#stages) await stage.close();
  }
}

function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
