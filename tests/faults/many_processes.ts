// Cameras, runtimes, a wall and commands that look, all on one embedded log, while one runtime is stopped past its session
// and comes back in the middle of what it did, and the wall clock of another jumps.
import assert from "node:assert/strict";
import { GroupBed } from "../recovery/group_bed.ts";
import type { Verdict } from "../support/checker.ts";
import { withClock } from "../support/faketime.ts";
import { framelane, FramelaneProcess } from "../support/framelane.ts";
import { withLog } from "../support/log.ts";
import { say } from "../support/trial_report.ts";

/** Hours. */
const JUMPS = [24, -24, 1, 0];

/** What a trial found. */
export interface Found {
  readonly verdict: Verdict;
  readonly recoveryMs: number[];
  /** How often a runtime was stopped inside of a transaction, so that the others waited. */
  readonly locked: number;
}

/** Runs it, `rounds` times. */
export async function manyProcesses(rounds: number, sessionTimeoutMs: number): Promise<Found> {
  const recoveryMs: number[] = [];
  let locked = 0;
  let verdict: Verdict | undefined;
  await withLog(async (url, log, directory) => {
    const clock = `${directory}/clock`;
    await Deno.writeTextFile(clock, "+0");
    const bed = new GroupBed({
      ...{ log, url, source: "VideoStreaming", folder: `${directory}/images` },
      ...{ sessionTimeoutMs, framesPerSecond: 20, partitions: 3 },
    });
    verdict = await bed.run(async () => {
      const beside = [
        new FramelaneProcess(["viewer", "--log", url, "--port", "0"]),
        new FramelaneProcess(
          ["camera", "1", "--source", "pattern:?size=160x120", "--log", url, "--topic", "Beside"],
        ),
      ];
      const looking = new AbortController();
      const looks = look(url, looking.signal);
      try {
        const stopped = bed.start();
        const jumping = bed.startWithin(withClock(clock));
        for (const runtime of [stopped, jumping]) await bed.owns(runtime, 1);
        const patience = sessionTimeoutMs + 15_000;
        for (let round = 0; round < rounds; round++) {
          // At any instant of its work.
          for (let i = 0; i < 20; i++) {
            await new Promise((next) => setTimeout(next, 10 + Math.random() * 20));
            stopped.signal("SIGSTOP");
            await new Promise((next) => setTimeout(next, Math.random() * 20));
            stopped.signal("SIGCONT");
          }
          stopped.signal("SIGSTOP");
          const since = performance.now();
          try {
            await bed.untilAllMove(patience);
            recoveryMs.push(performance.now() - since);
          } catch (error) {
            // Inside of a transaction it holds the database's lock, and the others wait for it.
            if (!(error instanceof DOMException)) throw error;
            locked++;
          }
          stopped.signal("SIGCONT");
          await bed.owns(stopped, 1);
          const jump = JUMPS[round % JUMPS.length]!;
          await Deno.writeTextFile(clock, `${jump < 0 ? "" : "+"}${jump}h`);
          await bed.untilAllMove();
          say(
            `round ${round + 1}: clock ${jump} h, stopped ${locked} times inside of a transaction`,
          );
        }
        await jumping.until(
          "words about the clock",
          ({ said }) => said.some((line) => /The clock is 86400 s off/.test(line)),
        );
        for (const process of beside) assert.ok(!process.hasEnded, process.output());
      } finally {
        looking.abort();
        await looks;
        for (const process of beside) await process.kill();
      }
    });
  });
  return { verdict: verdict!, recoveryMs, locked };
}

/** Commands that look at the log, one after the other. */
async function look(url: string, signal: AbortSignal): Promise<void> {
  for (let i = 0; !signal.aborted; i++) {
    const command = i % 2 === 0 ? ["checkpoints", "inspect"] : ["log", "check"];
    const { code, process } = await framelane([...command, "--log", url]);
    // A runtime that is stopped inside of a transaction keeps others from opening the log.
    const waited = /is locked by another process/.test(process.output());
    assert.ok(code === 0 || waited, process.output());
  }
}
