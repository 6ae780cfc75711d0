// Crashes on purpose, for trials of the recovery: off unless the environment asks for one.
import { BATCH_STEPS, type BatchStep } from "../engine/steps.ts";

/** `STEP:N`: the process kills itself at the Nth time that an executor comes to the step. */
export const CRASH_VARIABLE = "FRAMELANE_CRASH_AT";

/**
 * What to call at each step of each batch.
 *
 * @param spec e.g. `commit.before:7`; nothing to call when absent.
 * @param crash ends the process as kill -9 does; needs the permission to send signals, which no
 * task of Framelane has.
 * @throws {RangeError} when the step is unknown or the count is none.
 *
 * @example
 * ```ts
 * import { crashAt } from "./crash.ts";
 *
 * let crashed = 0;
 * const onStep = crashAt("plan:2", () => crashed++)!;
 * onStep("plan");
 * onStep("plan"); // now
 * ```
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
