// Crashes on purpose: a query made by `crashing` kills its process where the environment asks for it. It
// wraps what the engine calls: operators, sinks and the committer of the log.
import type { Operator, OperatorTask } from "../../runtime/definition/operator.ts";
import { QueryDefinition } from "../../runtime/definition/query.ts";
import type { SinkTask } from "../../runtime/definition/sink.ts";

/** Steps of a batch, in order. */
export const BATCH_STEPS = [
  /** Frames are read; no operator has seen them. */
  "read",
  /** All operators are done. */
  "operators",
  /** One sink has written the batch; reached once per sink. */
  "write",
  /** One sink's outputs are on disk; reached once per sink. */
  "flush",
  /** The plan of the batch is recorded. */
  "plan",
  /** Ready to commit. */
  "commit.before",
  /** The batch is committed; no sink has been notified. */
  "commit.after",
  /** One sink was notified of the commit; reached once per sink. */
  "committed",
] as const;

type BatchStep = typeof BATCH_STEPS[number];

/** `STEP:N`: the process kills itself at the Nth time that a thread comes to the step. */
export const CRASH_VARIABLE = "FRAMELANE_CRASH_AT";

/**
 * What to call at each step of each batch.
 *
 * @param spec e.g. `commit.before:7`; nothing to call when absent.
 * @param crash ends the process as kill -9 does; needs the permission to send signals.
 * @throws {RangeError} when the step is unknown or the count is none.
 */
export function crashAt(
  spec: string | undefined,
  crash: () => void = () => Deno.kill(Deno.pid, "SIGKILL"),
): ((step: BatchStep) => void) | undefined {
  if (spec === undefined || spec === "") return undefined;
  const [name, count] = spec.split(":");
  const step = BATCH_STEPS.find((known) => known === name);
  if (step === undefined || !/^[1-9]\d*$/.test(count ?? "")) {
    throw new RangeError(
      `Cannot use ${CRASH_VARIABLE} ${JSON.stringify(spec)}: expected STEP:N with N from 1 and ` +
        `one of the steps ${BATCH_STEPS.join(", ")}`,
    );
  }
  let left = Number(count);
  return (reached) => {
    if (reached === step && --left === 0) crash();
  };
}

const { state } = Deno.permissions.querySync({ name: "env", variable: CRASH_VARIABLE });
const onStep = crashAt(state === "granted" ? Deno.env.get(CRASH_VARIABLE) : undefined);
if (onStep !== undefined) {
  await wrapCommitters(onStep);
  await wrapSinks(onStep);
}

/** The same query, which kills its process where the environment asks for it. */
export function crashing(definition: QueryDefinition): QueryDefinition {
  if (onStep === undefined) return definition;
  const { plan } = definition;
  let read = false;
  const watch = (task: OperatorTask<unknown, unknown>, index: number) => {
    const process = task.process.bind(task), snapshot = task.snapshot?.bind(task);
    if (index === 0) {
      task.process = (input) => {
        if (!read) onStep("read");
        read = true;
        return process(input);
      };
    }
    if (index === plan.operators.length - 1) {
      // Asked for once all operators are done with a batch.
      task.snapshot = () => {
        read = false;
        onStep("operators");
        return snapshot?.();
      };
    }
    return task;
  };
  const operators = plan.operators.map((operator, index): Operator<unknown, unknown> => ({
    ...operator,
    open: async (context) => watch(await operator.open(context), index),
  }));
  return new QueryDefinition({ ...plan, operators });
}

async function wrapCommitters(onStep: (step: BatchStep) => void): Promise<void> {
  const { EmbeddedCommitter } = await import("../../runtime/log/embedded/committer.ts");
  const { KafkaCommitter } = await import("../../runtime/log/kafka/checkpoint/committer.ts");
  for (const { prototype } of [EmbeddedCommitter, KafkaCommitter]) {
    const { plan, commit } = prototype;
    prototype.plan = async function (batch, needed) {
      await plan.call(this, batch, needed);
      // A needed plan comes before its batch runs, or is that of the first start.
      if (!needed) onStep("plan");
    };
    prototype.commit = async function (...given) {
      onStep("commit.before");
      await commit.apply(this, given);
      onStep("commit.after");
    };
  }
}

async function wrapSinks(onStep: (step: BatchStep) => void): Promise<void> {
  const { SINK_TYPES } = await import("../../runtime/sinks/table.ts");
  for (const type of SINK_TYPES) {
    const openTexts = type.openTexts.bind(type);
    type.openTexts = (...given) => {
      const sink = openTexts(...given);
      return { ...sink, open: async (context) => watchSink(await sink.open(context), onStep) };
    };
  }
}

function watchSink(task: SinkTask, onStep: (step: BatchStep) => void): SinkTask {
  const { records, write, flush, committed } = task;
  if (write !== undefined) {
    task.write = async (...given) => {
      await write.apply(task, given);
      onStep("write");
    };
  } else if (records !== undefined) {
    task.records = (...given) => {
      const made = records.apply(task, given);
      onStep("write");
      return made;
    };
  }
  if (flush !== undefined) {
    task.flush = async (batch) => {
      await flush.call(task, batch);
      onStep("flush");
    };
  }
  if (committed !== undefined) {
    task.committed = async (batch) => {
      await committed.call(task, batch);
      onStep("committed");
    };
  }
  return task;
}
