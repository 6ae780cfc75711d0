// Random steps from a printed seed: runtimes start, stop, die, freeze; cameras come with new partitions; the
// log is cut off and comes back.
import type { GroupBed } from "../../recovery/group_bed.ts";
import type { FramelaneProcess } from "../../support/framelane.ts";
import type { Random } from "../../support/random.ts";
import { say } from "../../support/trial_report.ts";

const MOST_RUNTIMES = 3;
const MOST_PARTITIONS = 8;

/** Takes the log away from everybody, and gives it back. */
export interface Cut {
  cut(): void | Promise<void>;
  heal(): void;
}

/** Makes this many steps; at the end there is a runtime, and every partition moves. */
export async function randomSteps(
  bed: GroupBed,
  random: Random,
  steps: number,
  log?: Cut,
): Promise<number> {
  const runtimes: FramelaneProcess[] = [bed.start()];
  const pause = (most: number) =>
    new Promise<void>((resolve) => setTimeout(resolve, random.whole(20, most)));
  const take = () => runtimes.splice(random.whole(0, runtimes.length - 1), 1)[0]!;
  const actions: Record<string, () => Promise<void> | void> = {
    start: () => {
      if (runtimes.length < MOST_RUNTIMES) runtimes.push(bed.start());
    },
    stop: async () => {
      if (runtimes.length > 0) await bed.stop(take());
    },
    kill: async () => {
      if (runtimes.length > 0) await bed.kill(take());
    },
    freeze: async () => {
      if (runtimes.length === 0) return;
      const frozen = random.pick(runtimes);
      frozen.signal("SIGSTOP");
      await pause(3000);
      frozen.signal("SIGCONT");
    },
    "add a camera": async () => {
      if (bed.partitions < MOST_PARTITIONS && random.next() < 0.3) await bed.addCamera();
    },
    "cut and heal": async () => {
      if (log === undefined) return;
      await log.cut();
      await pause(3000);
      log.heal();
    },
  };
  const names = Object.keys(actions);
  for (let step = 0; step < steps; step++) {
    const name = random.pick(["start", "start", ...names]);
    await actions[name]!();
    await pause(500);
    if (step % 50 === 49) say(`seed ${random.seed}: ${step + 1} steps, ${bed.partitions} cameras`);
  }
  if (runtimes.length === 0) runtimes.push(bed.start());
  return await bed.untilAllMove(180_000);
}

/** Seeds of a run: `FRAMELANE_TEST_SEED` alone, or as many as `FRAMELANE_TEST_SEEDS` says. */
export function seeds(): number[] {
  const one = Number(Deno.env.get("FRAMELANE_TEST_SEED") ?? 0);
  if (one > 0) return [one];
  const count = Number(Deno.env.get("FRAMELANE_TEST_SEEDS") ?? 20);
  return Array.from({ length: count }, (_, index) => index + 1);
}

/** Steps of each seed. */
export const STEPS = 200;
