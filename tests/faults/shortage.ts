// A runtime that runs out of something that the machine has little of, and gets it back: it says what is
// missing, tries again, and in the end everything is there once.
import assert from "node:assert/strict";
import {
  assertSame,
  collect,
  commandInto,
  judgeImages,
  judgeTopic,
  type Places,
} from "../recovery/outputs.ts";
import { Cameras } from "../support/cameras.ts";
import { assertFlawless, total, type Verdict } from "../support/checker.ts";
import { FramelaneProcess } from "../support/framelane.ts";
import { withLog } from "../support/log.ts";
import { readAll } from "../support/log.ts";
import { say } from "../support/trial_report.ts";
import { until } from "../support/until.ts";

const PARTITIONS = 2;

/** Something that runs out. */
export interface Shortage {
  /** Where the query keeps its checkpoint and writes pictures, events and videos. */
  readonly folder: string;
  /** Takes it away from a runtime. */
  take(runtime: FramelaneProcess): Promise<void>;
  giveBack(runtime: FramelaneProcess): Promise<void>;
  /** What the runtime must say. */
  readonly told: RegExp;
  /** How long it is away, milliseconds. */
  readonly awayMs: number;
}

/** Runs a query through a shortage, `rounds` times. */
export async function shortageTrial(
  { folder, take, giveBack, told, awayMs }: Shortage,
  rounds = 1,
): Promise<{ verdict: Verdict; recoveryMs: number[] }> {
  const recoveryMs: number[] = [];
  let verdict: Verdict | undefined;
  await withLog(async (url, log, directory) => {
    const places: Places = { topic: "OUT", folder };
    const cameras = new Cameras({
      log,
      topic: "VideoStreaming",
      cameras: PARTITIONS,
      everyMs: 100,
    });
    await cameras.start();
    const runtime = start(url, places, "asap");
    try {
      const moved = async () => {
        const target = cameras.count;
        for (let partition = 0; partition < PARTITIONS; partition++) {
          await until(`frame ${target} of partition ${partition}`, async () => {
            assert.ok(!runtime.hasEnded, runtime.output());
            if (await log.partitionCount("OUT") <= partition) return false;
            const frames = await readAll(log, "OUT", partition);
            return Number(frames.at(-1)?.headers["seq"] ?? -1) >= target;
          });
        }
      };
      await moved();
      for (let round = 0; round < rounds; round++) {
        const seen = runtime.said.length;
        await take(runtime);
        try {
          await runtime.until(
            "words about what is missing",
            ({ said }) =>
              said.slice(seen).some((line) => told.test(line) && /; restarting/.test(line)),
          );
          await new Promise((resolve) => setTimeout(resolve, awayMs));
        } finally {
          await giveBack(runtime);
        }
        const back = performance.now();
        await moved();
        recoveryMs.push(performance.now() - back);
        say(`all partitions move ${Math.round(recoveryMs.at(-1)!)} ms after it is back`);
      }
      const published = await cameras.stop();
      assert.equal(await runtime.stop(), 0, runtime.output());
      await finish(url, places);
      // The same frames again in peace: every byte must be the same, whatever kind of output.
      const undisturbed: Places = { topic: "PEACE", folder: `${directory}/peace` };
      await finish(url, undisturbed);
      assertSame(
        await collect(log, places, PARTITIONS),
        await collect(log, undisturbed, PARTITIONS),
        "after the shortage",
      );
      verdict = total([
        await judgeTopic(log, "OUT", PARTITIONS, published),
        await judgeImages(`${folder}/images`, published),
      ]);
      assertFlawless(verdict, "topic and images");
    } catch (error) {
      say(runtime.output());
      throw error;
    } finally {
      await runtime.kill();
      await cameras.stop();
    }
  });
  return { verdict: verdict!, recoveryMs };
}

/** Takes what is left, and ends. */
async function finish(url: string, places: Places): Promise<void> {
  const rest = start(url, places, "available-now");
  assert.equal(await rest.ended(), 0, rest.output());
}

function start(url: string, places: Places, trigger: string): FramelaneProcess {
  const checkpoint = `${places.folder}/.checkpoint`;
  return new FramelaneProcess(
    commandInto(places, { url, query: "chain", partitions: PARTITIONS }, [
      ...["--checkpoint", checkpoint, "--trigger", trigger],
    ]),
  );
}

/** Runs a command; fails with what it said. */
export async function run(...command: string[]): Promise<void> {
  const [program, ...args] = command;
  const { success, stderr } = await new Deno.Command(program!, { args }).output();
  if (!success) {
    throw new Error(`Cannot run ${command.join(" ")}: ${new TextDecoder().decode(stderr).trim()}`);
  }
}

/** File handles: the limit is lowered below those that the process has open. */
export function handles(folder: string, awayMs: number): Shortage {
  const limit = (runtime: FramelaneProcess, soft: number) =>
    run("prlimit", "--pid", String(runtime.pid), `--nofile=${soft}:`);
  return {
    folder,
    awayMs,
    told: /out of file handles/,
    take: (runtime) => limit(runtime, 3),
    giveBack: (runtime) => limit(runtime, 1024),
  };
}
