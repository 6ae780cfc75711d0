/**
 * The operators of one streaming query, chained. Items leave in the order they came, however many
 * `process` calls an operator has under way.
 *
 * @module
 */
import { BadFrameError, type Frame } from "../definition/frame.ts";
import { numbered } from "./identity.ts";
import type { LeftOut, Operator, OperatorContext, OperatorTask } from "../definition/operator.ts";
import type { StateOperatorProgress } from "../definition/progress.ts";
import { leftOutProgress } from "./left_out.ts";
import type { NamedMetrics } from "./observed.ts";
import { matchStates, namedState, stepNames, type StepState } from "./step_states.ts";

/** What the pipeline tells the streaming query while it works. */
export interface PipelineEvents {
  /** An output, with the frame whose arrival caused it, in order. */
  onOutput(output: unknown, cause: Frame): void | Promise<void>;
  /** A frame that cannot be processed. */
  onBadFrame(frame: Frame, error: BadFrameError): void;
  /** Called before and after an operator has the thread. */
  onBusy?(busy: boolean): void;
}

/** What a restart needs to know about the operators. */
export interface PipelineSnapshot {
  /** Oldest offset to read again; undefined when none. */
  readonly restart: number | undefined;
  /** State of all operators; undefined when none has any. */
  readonly state: Uint8Array | undefined;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Chained operators at work on one partition. */
export class Pipeline {
  /** What the query has otherwise than the one that wrote the checkpoint, for people. */
  readonly changes: readonly string[];
  readonly #stages: Stage[];

  private constructor(stages: Stage[], changes: readonly string[]) {
    this.#stages = stages;
    this.changes = changes;
  }

  /**
   * Opens the operators.
   *
   * @param end committed end: a `state` operator is shown no frame below it.
   * @param saved what `snapshot` returned before the restart.
   * @param dropped names of steps whose state the query lets go of.
   * @throws {LogError} `CHECKPOINT_CHANGED` when it is the snapshot of another query.
   */
  static async open(
    operators: readonly Operator<unknown, unknown>[],
    context: Omit<OperatorContext, "state">,
    events: PipelineEvents,
    end: number,
    saved?: Uint8Array,
    dropped?: readonly string[],
  ): Promise<Pipeline> {
    const { states, changes } = matchStates(
      context.query,
      operators,
      saved === undefined
        ? []
        : (JSON.parse(decoder.decode(saved)) as { stages: StepState[] }).stages,
      dropped,
    );
    const names = stepNames(operators);
    const stages: Stage[] = [];
    try {
      for (const [index, operator] of operators.entries()) {
        const state = states[index];
        const task = await operator.open({
          ...context,
          ...(typeof state?.state === "string" ? { state: fromBase64(state.state) } : {}),
        });
        const from = operator.kind === undefined ? 0 : state?.restart ?? end;
        stages.push(new Stage(operator, names[index]!, task, from, events));
      }
    } catch (error) {
      for (const stage of stages) await stage.close();
      throw error;
    }
    stages.forEach((stage, index) => stage.next = stages[index + 1]);
    return new Pipeline(stages, changes);
  }

  /** Takes the next frame; resolves when there is room for another. */
  push(frame: Frame, events: PipelineEvents): void | Promise<void> {
    const first = this.#stages[0];
    return first === undefined ? events.onOutput(frame, frame) : first.push(frame, frame);
  }

  /**
   * Resolves when everything that was pushed has left.
   *
   * @throws the first error of an operator.
   */
  async settle(): Promise<void> {
    for (const stage of this.#stages) await stage.settle();
  }

  /** State between two batches; call it only after `settle`. */
  snapshot(): PipelineSnapshot {
    let restart: number | undefined;
    let any = false;
    const stages = this.#stages.map(({ task, saved }): StepState => {
      const offset = task.restartOffset?.();
      const state = task.snapshot?.();
      if (offset !== undefined) restart = Math.min(restart ?? offset, offset);
      if (offset !== undefined || state !== undefined) any = true;
      return {
        ...saved,
        restart: offset ?? null,
        state: state === undefined ? null : toBase64(state),
      };
    });
    return {
      restart,
      state: any ? encoder.encode(JSON.stringify({ stages })) : undefined,
    };
  }

  /** What operators keep, by name. */
  stateSizes(): StateOperatorProgress[] {
    return this.#stages.flatMap(({ task, name }) => {
      const size = task.stateSize?.();
      return size === undefined ? [] : [{
        operatorName: name,
        numRowsTotal: size.items,
        memoryUsedBytes: size.bytes,
        ...leftOutProgress(task.leftOut?.()),
      }];
    });
  }

  /** The operators' own metrics since the last call. */
  observed(): NamedMetrics[] {
    return this.#stages.flatMap(({ task, observes }) =>
      observes === undefined ? [] : [{ name: observes, metrics: task.observed?.() ?? [] }]
    );
  }

  /** Frames of this run that no window has. */
  leftOut(): LeftOut {
    const sum = { late: 0, ahead: 0 };
    for (const { task } of this.#stages) {
      const { late = 0, ahead = 0 } = task.leftOut?.() ?? {};
      sum.late += late;
      sum.ahead += ahead;
    }
    return sum;
  }

  /** Capture time up to which all operators that know one are done. */
  watermark(): number | undefined {
    let lowest: number | undefined;
    for (const { task } of this.#stages) {
      const time = task.watermark?.();
      if (time !== undefined) lowest = Math.min(lowest ?? time, time);
    }
    return lowest;
  }

  /** The earliest time at which an operator wants to be called. */
  nextTimer(): number | undefined {
    let earliest: number | undefined;
    for (const { task } of this.#stages) {
      const time = task.nextTimer?.();
      if (time !== undefined) earliest = Math.min(earliest ?? time, time);
    }
    return earliest;
  }

  /** Runs all timers that are due; their outputs count as caused by `cause`. */
  async runTimers(now: number, cause: Frame): Promise<void> {
    for (const stage of this.#stages) {
      for (let due = stage.task.nextTimer?.(); due !== undefined && due <= now;) {
        await stage.emit(await stage.task.onTimer!(now), cause);
        const next = stage.task.nextTimer?.();
        if (next === due) break;
        due = next;
      }
    }
  }

  /** Whether an operator has something to say at the end. */
  get finishes(): boolean {
    return this.#stages.some(({ task }) => task.finish !== undefined);
  }

  /** Ends what operators have open; their outputs count as caused by `cause`. */
  async finish(cause: Frame, finite: boolean): Promise<void> {
    for (const stage of this.#stages) {
      if (stage.task.finish !== undefined) {
        await stage.emit(await stage.task.finish(finite), cause);
      }
      await this.settle();
    }
  }

  async close(): Promise<void> {
    for (const stage of this.#stages) await stage.close();
  }
}

class Stage {
  next: Stage | undefined;
  readonly name: string;
  readonly task: OperatorTask<unknown, unknown>;
  readonly #limit: number;
  readonly #from: number;
  readonly #events: PipelineEvents;
  #underWay = 0;
  #emitted: Promise<void> = Promise.resolve();
  #room: (() => void) | undefined;
  #failure: { error: unknown } | undefined;

  readonly #operator: Operator<unknown, unknown>;

  constructor(
    operator: Operator<unknown, unknown>,
    name: string,
    task: OperatorTask<unknown, unknown>,
    from: number,
    events: PipelineEvents,
  ) {
    this.name = name;
    this.#operator = operator;
    this.task = task;
    this.#limit = operator.kind === undefined ? operator.concurrency ?? 1 : 1;
    this.#from = from;
    this.#events = events;
  }

  /** Name under which its metrics stand. */
  get observes(): string | undefined {
    return this.#operator.observes;
  }

  /** What says in a checkpoint whose state it is. */
  get saved(): Pick<StepState, "name" | "kind" | "dropped"> {
    return namedState(this.name, this.#operator);
  }

  push(item: unknown, cause: Frame): void | Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (cause.offset < this.#from) return;
    return this.#limit === 1 ? this.#one(item, cause) : this.#several(item, cause);
  }

  #one(item: unknown, cause: Frame): void | Promise<void> {
    let outputs: readonly unknown[] | Promise<readonly unknown[]>;
    try {
      outputs = this.#process(item);
    } catch (error) {
      return this.#bad(error, cause);
    }
    if (outputs instanceof Promise) {
      return outputs.then(
        (settled) => this.emit(numbered(settled, item), cause),
        (error) => this.#bad(error, cause),
      );
    }
    return this.emit(numbered(outputs, item), cause);
  }

  #process(item: unknown): readonly unknown[] | Promise<readonly unknown[]> {
    this.#events.onBusy?.(true);
    try {
      return this.task.process(item);
    } finally {
      this.#events.onBusy?.(false);
    }
  }

  async #several(item: unknown, cause: Frame): Promise<void> {
    const outputs = Promise.resolve().then(() => this.#process(item));
    this.#underWay++;
    // Every link handles its own error, so that none is ever unhandled; `settle` and the next
    // `push` throw the first.
    const work = outputs.catch((error) => {
      this.#bad(error, cause);
      return [];
    });
    work.catch(() => {});
    this.#emitted = this.#emitted.then(async () => {
      try {
        const settled = await work;
        if (this.#failure === undefined) await this.emit(numbered(settled, item), cause);
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

  #bad(error: unknown, cause: Frame): void {
    if (!(error instanceof BadFrameError)) throw error;
    this.#events.onBadFrame(cause, error);
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
    return this.next !== undefined
      ? this.next.push(output, cause)
      : this.#events.onOutput(output, cause);
  }

  async settle(): Promise<void> {
    await this.#emitted;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async close(): Promise<void> {
    await this.#emitted;
    await this.task.close?.();
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
