// What happens to everything at once, the same on every log.
import { during } from "../../faults/broker.ts";
import { canFakeTime } from "../../support/faketime.ts";
import { Random } from "../../support/random.ts";
import { reportRow } from "../../support/trial_report.ts";
import { Everything, ROLES, type Stage } from "./everything.ts";

const KILLS = 20;
const STOPPED_MS = 30_000;

/** What a trial does, and when outputs went on after it. */
type Trial = (everything: Everything) => Promise<number[]>;

const TRIALS: Readonly<Record<string, Trial>> = {
  "kill -9 of cameras, queries and wall at once": async (everything) => {
    const random = Random.fromEnvironment(9);
    for (let kill = 0; kill < KILLS; kill++) {
      await everything.start();
      await during(random.whole(1500, 6000));
      await everything.kill();
    }
    await everything.start();
    return [await everything.moves()];
  },
  [`cameras, queries, wall, and all of them stopped for ${STOPPED_MS / 1000} s`]: async (
    everything,
  ) => {
    await everything.start();
    await everything.moves();
    const recoveryMs: number[] = [];
    for (const roles of [...ROLES.map((role) => [role]), ROLES]) {
      everything.signal(roles, "SIGSTOP");
      await during(STOPPED_MS);
      everything.signal(roles, "SIGCONT");
      recoveryMs.push(await everything.moves());
    }
    return recoveryMs;
  },
  "the clock of cameras, queries, wall an hour forward and back": async (everything) => {
    await everything.start(true);
    await everything.moves();
    const recoveryMs: number[] = [];
    for (const role of ROLES) {
      for (const offset of ["+1h", "+0", "-1h", "+0"]) {
        await everything.setClock(role, offset);
        await during(3000);
        recoveryMs.push(await everything.moves());
      }
    }
    return recoveryMs;
  },
};

/** Registers the trials for a kind of log. */
export function everythingTrials(
  kind: string,
  within: (test: (stage: Stage) => Promise<void>) => Promise<void>,
): void {
  for (const [fault, trial] of Object.entries(TRIALS)) {
    Deno.test({
      name: `${fault}, ${kind}`,
      ignore: fault.includes("clock") && !canFakeTime(),
      fn: () =>
        within(async (stage) => {
          let recoveryMs: number[] = [];
          const verdict = await Everything.run(stage, async (everything) => {
            recoveryMs = await trial(everything);
          });
          const repetitions = fault.startsWith("kill") ? KILLS : recoveryMs.length;
          reportRow({ fault: `${fault}, ${kind}`, repetitions, verdict, recoveryMs });
        }),
    });
  }
}
