/**
 * `deno task bench cameras`: many registered cameras in one process, as `deno task cameras run` runs
 * them: frames published and dropped, processor, memory.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { join } from "node:path";
import { CameraRegistry, openState } from "../cameras/registry.ts";
import { CameraFleet } from "../cli/camera_fleet.ts";
import { ProgressBar } from "../cli/progress_bar.ts";
import { systemClock } from "../runtime/base/clock.ts";
import { openLog } from "../runtime/log/open.ts";
import { print } from "./print.ts";
import { machineLine, thisMachine } from "./support/machine.ts";
import { cpuSeconds } from "./support/process_stats.ts";
import { slope } from "./support/stats.ts";

const SAMPLE_MS = 5_000;
/** Starting is no steady state. */
const WARM_UP_MS = 20_000;

/** What this process used so far. */
interface Usage {
  /** Milliseconds since the start of the trial. */
  readonly at: number;
  readonly processorSeconds: number;
  readonly megabytes: number;
  /** Of these, what JavaScript holds: objects and buffers. */
  readonly scriptMegabytes: number;
}

/** Growth in MiB an hour. */
function growth(samples: readonly Usage[]): number {
  return slope(samples.map(({ at, megabytes }) => [at / 3_600_000, megabytes] as const));
}

/** Mean memory of each minute. */
function byMinute(samples: readonly Usage[]): number[] {
  const minutes = Map.groupBy(samples, ({ at }) => Math.floor((at - samples[0]!.at) / 60_000));
  return [...minutes.values()].map((of) =>
    of.reduce((sum, { megabytes }) => sum + megabytes, 0) / of.length
  );
}

/** The benchmark. */
export async function bench(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      cameras: { type: "string", default: "50" },
      fps: { type: "string", default: "5" },
      seconds: { type: "string", default: "300" },
      source: { type: "string", default: "clips/bigbuckbunny.mp4" },
      size: { type: "string", default: "640x360" },
      log: { type: "string", default: "" },
      out: { type: "string" },
    },
  });
  const machine = await thisMachine("none");
  const count = Number(values.cameras);
  const [width, height] = values.size.split("x").map(Number);
  const folder = await Deno.makeTempDir({ prefix: "framelane-bench-" });
  const state = join(folder, "cameras.kv");
  const log = values.log === "" ? `embedded:${folder}/log` : values.log;
  try {
    {
      using kv = await openState(state);
      const registry = new CameraRegistry(kv);
      for (let number = 1; number <= count; number++) {
        await registry.add({
          number,
          source: values.source,
          fps: Number(values.fps),
          ...(values.source.includes(":") ? {} : { loop: true }),
          size: { width: width!, height: height! },
        });
      }
    }
    using kv = await openState(state);
    const opened = await openLog(log);
    const stop = new AbortController();
    const summaries: Record<string, number>[] = [];
    const fleet = new CameraFleet({
      host: {
        log: opened,
        producer: await opened.producer(),
        topic: `bench-${crypto.randomUUID().slice(0, 8)}`,
        kv,
        clock: systemClock,
      },
      registry: new CameraRegistry(kv),
      json: true,
    }, {
      signal: stop.signal,
      print(line) {
        const said = JSON.parse(line);
        if (said.type === "summary") summaries.push(said);
      },
      say() {},
    });
    const running = fleet.run();
    const begun = performance.now();
    const samples: Usage[] = [];
    const bar = new ProgressBar({ title: "Cameras" });
    const limit = Number(values.seconds) * 1000;
    while (performance.now() - begun < limit) {
      const spent = performance.now() - begun;
      bar.update(spent, limit, `${(spent / 1000).toFixed(0)} of ${values.seconds} s`);
      await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
      const { rss, heapTotal, external } = Deno.memoryUsage();
      samples.push({
        at: performance.now() - begun,
        processorSeconds: cpuSeconds(),
        megabytes: rss / 1024 / 1024,
        scriptMegabytes: (heapTotal + external) / 1024 / 1024,
      });
    }
    bar.clear();
    stop.abort();
    await running;
    await opened.close();
    const total = (pick: string) => summaries.reduce((sum, summary) => sum + summary[pick]!, 0);
    const steady = samples.filter(({ at }) => at > WARM_UP_MS);
    const [first, last] = [steady[0]!, steady.at(-1)!];
    const cores = (last.processorSeconds - first.processorSeconds) / (last.at - first.at) * 1000;
    const seconds = summaries[0]!.seconds!;
    const fewest = Math.min(...summaries.map(({ published }) => published!));
    const wanted = count * Number(values.fps) * seconds;
    const optional = (pick: string) =>
      summaries.reduce((sum, summary) => sum + (summary[pick] ?? 0), 0);
    const lines: string[] = [];
    const say = (line: string) => {
      lines.push(line);
      print(line);
    };
    say(machineLine(machine));
    say(
      `${count} cameras, ${values.source} at ${values.size} and ${values.fps} frames/s, ${
        seconds.toFixed(0)
      } s`,
    );
    say(
      `  published  ${total("published")} frames (${
        (100 * total("published") / wanted).toFixed(1)
      } % of ${wanted.toFixed(0)}; starting included), ${(total("bytes") / 1e6).toFixed(0)} MB`,
    );
    say(`  a second   ${(total("published") / seconds).toFixed(1)}`);
    say(`  the least  ${fewest} of one camera`);
    say(`  dropped    ${total("dropped")}`);
    say(
      `  late       ${optional("late")} frames, all recordings together ${
        optional("behindSeconds").toFixed(1)
      } s behind their own times`,
    );
    say(`  processor  ${cores.toFixed(2)} cores`);
    say(
      `  memory     ${first.megabytes.toFixed(0)} MB after ${(first.at / 1000).toFixed(0)} s, ${
        last.megabytes.toFixed(0)
      } MB at the end, at most ${
        Math.max(...steady.map(({ megabytes }) => megabytes)).toFixed(0)
      } MB, of which JavaScript holds ${last.scriptMegabytes.toFixed(0)} MB`,
    );
    say(`  by minute  ${byMinute(steady).map((mean) => mean.toFixed(0)).join(", ")} MB`);
    const late = steady.slice(-Math.ceil(steady.length / 2));
    say(
      `  slope      ${growth(steady).toFixed(0)} MB an hour, in the second half ${
        growth(late).toFixed(0)
      }`,
    );
    if (values.out !== undefined) {
      await Deno.mkdir(values.out, { recursive: true });
      await Deno.writeTextFile(
        `${values.out}/cameras.md`,
        `# Many cameras in one process\n\nPrinted by \`deno task bench cameras${
          args.length === 0 ? "" : ` ${args.join(" ")}`
        }\`: cameras of a registry, each playing a file into the log,\nas \`deno task cameras run\` runs them.\n\n\`\`\`\n${
          lines.join("\n")
        }\n\`\`\`\n`,
      );
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
