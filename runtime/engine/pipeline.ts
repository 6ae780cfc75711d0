// The chained operators of one streaming query. Items leave in the order they came, however many
// `process` calls are under way.
import { markAsUntransferable } from "node:worker_threads";
import type { Frame } from "../definition/frame.ts";
import type { Operator, OperatorTask, SkippedFrames } from "../definition/operator.ts";
import { OperatorError } from "../definition/operator_error.ts";
import type { StateOperatorProgress } from "../definition/progress.ts";
import { least, restartOffsetOf, snapshotOf, taskOf } from "./answers.ts";
import type { StepErrors } from "./dead_inputs.ts";
import type { NamedMetrics } from "./observed.ts";
import { restorePoint } from "./restore_points.ts";
import { Stage, type StageOptions } from "./stage.ts";
import { matchStates, namedState, stepNames, type StepState } from "./step_states.ts";

export interface PipelineSnapshot {
  /** Oldest offset to re-read; undefined if none. */
  readonly restart: number | undefined;
  /** State of all operators as JSON; undefined if none has any. */
  readonly state: string | undefined;
}

type StageState = StepState & StepErrors;

/** What a stage was at `end`. */
type RestorePoint = Required<Pick<StepState, "restart" | "state" | "end">>;

export class Pipeline {
  readonly #operators: readonly Operator<unknown, unknown>[];
  readonly #options: StageOptions;
  /** How the query differs from the one that wrote the checkpoint, in words. */
  changes: readonly string[] = [];
  #stages: readonly Stage[] = [];
  /** Of each stage, for `restorePoint`. */
  #points: RestorePoint[][] = [];
  /** The buffer of the newest frame, which no operator can transfer. */
  #protected: ArrayBufferLike | undefined;

  constructor(operators: readonly Operator<unknown, unknown>[], options: StageOptions) {
    this.#operators = operators;
    this.#options = options;
  }

  /** Reopens the operators at `offset`, without their open windows. */
  async beginAgain(offset: number): Promise<void> {
    await this.close();
    await this.open(offset);
  }

  /**
   * @param end committed end: a `state` operator is shown no frame below it.
   * @param saved what `snapshot` returned before the restart.
   * @param dropped names of steps whose state the query drops.
   * @throws {LogError} `CHECKPOINT_CHANGED` when it is the snapshot of another query.
   */
  async open(end: number, saved?: string, dropped?: readonly string[]): Promise<void> {
    const options = this.#options;
    const { states, changes } = matchStates(
      options.context.query,
      this.#operators,
      saved === undefined ? [] : (JSON.parse(saved) as { stages: StageState[] }).stages,
      dropped,
    );
    this.changes = changes;
    const names = stepNames(this.#operators);
    const tasks: OperatorTask<unknown, unknown>[] = [];
    try {
      for (const [index, operator] of this.#operators.entries()) {
        tasks.push(await this.#openTask(operator, names[index]!, states[index]?.state));
      }
    } catch (error) {
      await closeAll(tasks).catch(() => {}); // Why one cannot open says more.
      throw error;
    }
    const points = states.map((saved): RestorePoint => ({
      end: saved?.end ?? end,
      restart: saved?.restart ?? null,
      state: saved?.state ?? null,
    }));
    this.#points = points.map((point) => [point]);
    this.#stages = this.#operators.reduceRight<Stage[]>((later, operator, index) => {
      const step = { number: index + 1, operator, name: names[index]!, task: tasks[index]! };
      return [new Stage(step, later[0], points[index]!, states[index] ?? {}, options), ...later];
    }, []);
  }

  async #openTask(
    operator: Operator<unknown, unknown>,
    name: string,
    state: string | null | undefined,
  ): Promise<OperatorTask<unknown, unknown>> {
    const { context, events } = this.#options;
    const kept = typeof state === "string" ? { state: Uint8Array.fromBase64(state) } : {};
    try {
      return taskOf(await events.call(() => operator.open({ ...context, ...kept })), "process");
    } catch (error) {
      throw new OperatorError({ operator: name }, context, error);
    }
  }

  /**
   * Gives `state` operators what they kept at the commit: frames that are read again do not make
   * again what timers and the end of a run changed.
   *
   * @param saved and `dropped` as for `open`
   */
  async restoreStates(saved: string, dropped?: readonly string[]): Promise<void> {
    const { stages } = JSON.parse(saved) as { stages: StageState[] };
    const { query } = this.#options.context;
    const { states } = matchStates(query, this.#operators, stages, dropped);
    for (const [index, stage] of this.#stages.entries()) {
      const operator = this.#operators[index]!;
      if (operator.kind !== "state") continue;
      await stage.close();
      stage.task = await this.#openTask(operator, stage.name, states[index]?.state);
    }
  }

  /** Resolves when there is room for another frame. */
  push(frame: Frame): void | Promise<void> {
    this.#protect(frame);
    const first = this.#stages[0];
    return first === undefined
      ? this.#options.events.onOutput(frame, frame)
      : first.push(frame, frame);
  }

  /** Operators must not change frames, nor give their buffers to other threads. */
  #protect(frame: Frame): void {
    Object.freeze(frame);
    const { buffer } = frame.value ?? {};
    if (buffer === undefined || buffer === this.#protected) return;
    this.#protected = buffer;
    markAsUntransferable(buffer);
  }

  /** Resolves when everything that was pushed has left. */
  settle(): void | Promise<void> {
    if (this.#stages.some(({ busy }) => busy)) return this.#settle();
  }

  async #settle(): Promise<void> {
    for (const stage of this.#stages) await stage.settle();
  }

  /** State after the batch that ends at `end`; call only after `settle`. */
  snapshot(end: number): PipelineSnapshot {
    const points = this.#pointsAt(end);
    const restart = least(points.map((point) => neededBy(point, end)));
    let any = restart !== undefined;
    const stages = this.#stages.map((stage, index): StageState => {
      const { restart: from, state, end: at } = points[index]!;
      const errors = stage.dead.errors(restart ?? end);
      if (state !== null || errors !== undefined) any = true;
      return {
        ...namedState(stage.name, this.#operators[index]!),
        restart: from,
        ...(at < end ? { end: at } : {}),
        state,
        ...errors,
      };
    });
    return { restart, state: any ? JSON.stringify({ stages }) : undefined };
  }

  /**
   * What each stage is restored to. One before a window is restored to where the window begins, which
   * gets its outputs from there on again.
   */
  #pointsAt(end: number): RestorePoint[] {
    let needed = end;
    return this.#stages.reduceRight<RestorePoint[]>((later, stage, index) => {
      const restart = stage.ask(restartOffsetOf) ?? null;
      const state = stage.ask(snapshotOf)?.toBase64() ?? null;
      const isRewound = this.#operators[index]!.kind === "window";
      const own = { end, restart, state };
      const point = restorePoint(this.#points[index]!, own, isRewound ? needed : end);
      needed = Math.min(needed, neededBy(point, end) ?? end);
      return [point, ...later];
    }, []);
  }

  stateSizes(): StateOperatorProgress[] {
    return this.#stages.flatMap((stage) => {
      const size = stage.ask((task) => task.stateSize?.());
      const skipped = stage.ask((task) => task.skipped?.());
      return size === undefined ? [] : [{
        operatorName: stage.name,
        numRowsTotal: size.items,
        memoryUsedBytes: size.bytes,
        ...(skipped && {
          numRowsDroppedByWatermark: skipped.late,
          customMetrics: { numRowsTooFarAhead: skipped.ahead },
        }),
      }];
    });
  }

  observed(): NamedMetrics[] {
    return this.#stages.flatMap((stage, index) => {
      const name = this.#operators[index]!.observes;
      const metrics = name === undefined ? undefined : stage.ask((task) => task.observed?.());
      return name === undefined ? [] : [{ name, metrics: metrics ?? [] }];
    });
  }

  /** Frames of this run that are in no window; undefined if no operator counts them. */
  skipped(): SkippedFrames | undefined {
    let sum: SkippedFrames | undefined;
    for (const stage of this.#stages) {
      if (stage.task.skipped === undefined) continue;
      const { late, ahead } = stage.ask((task) => task.skipped!());
      sum = { late: late + (sum?.late ?? 0), ahead: ahead + (sum?.ahead ?? 0) };
    }
    return sum;
  }

  /** The lowest watermark of the operators that have one, as a capture time. */
  watermark(): number | undefined {
    return least(this.#stages.map((stage) => stage.ask((task) => task.watermark?.())));
  }

  /** The earliest timer of the operators, epoch milliseconds; `Infinity` if there is none. */
  nextTimer(): number {
    let next = Infinity;
    for (const stage of this.#stages) {
      const time = stage.nextTimer();
      if (time < next) next = time;
    }
    return next;
  }

  /** Runs due timers; their outputs count as caused by `cause`. */
  async runTimers(now: number, cause: Frame): Promise<void> {
    for (const stage of this.#stages) await stage.runTimers(now, cause);
  }

  get failedOnAll(): OperatorError | undefined {
    return this.#stages.map(({ dead }) => dead.failedOnAll).find((error) => error !== undefined);
  }

  /** Whether an operator has outputs at the end. */
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

  close(): Promise<void> {
    return closeAll(this.#stages);
  }
}

/** The first offset to read again for a stage, after a batch that ends at `end`; undefined if none. */
function neededBy(point: RestorePoint, end: number): number | undefined {
  return point.restart ?? (point.end < end ? point.end : undefined);
}

/** @throws the first error, once all are closed */
async function closeAll(tasks: readonly { close?(): unknown }[]): Promise<void> {
  const errors: unknown[] = [];
  for (const task of tasks) {
    try {
      await task.close?.();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}
