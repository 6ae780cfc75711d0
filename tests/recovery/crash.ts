// Crashes on purpose: a query that imports this kills its process where the environment asks for it.
import { subscribe } from "node:diagnostics_channel";
import { BATCH_STEPS } from "../../runtime/engine/steps.ts";

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
): ((step: unknown) => void) | undefined {
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
if (onStep !== undefined) subscribe("framelane.step", onStep);
