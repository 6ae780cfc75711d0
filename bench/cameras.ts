// `deno task bench cameras`: many registered cameras in one process, as `deno task cameras run` runs
// them: frames published and dropped, processor, memory.
import { join } from "node:path";
import { CameraRegistry, openState } from "../cameras/registry.ts";
import { CameraFleet } from "../cli/camera_fleet.ts";
import { ProgressBar } from "../cli/progress_bar.ts";
import { systemClock } from "../runtime/base/clock.ts";
import { openLog } from "../runtime/log/open.ts";
import { optionsOf } from "./support/options.ts";
import { cpuSeconds } from "./support/process_stats.ts";
import { report, table } from "./support/report.ts";
import { slope } from "./support/stats.ts";

const SAMPLE_MS = 5_000;
/** Starting is no steady state. */
const WARM_UP_MS = 20_000;

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

export async function bench(args: readonly string[]): Promise<void> {
  const values = optionsOf(args, {
    cameras: 50,
    fps: 5,
    seconds: 300,
    source: "clips/bigbuckbunny.mp4",
    size: "640x360",
    log: "",
    out: "",
  });
  const count = values.cameras;
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
          ...(values.fps === 0 ? {} : { fps: values.fps }),
          ...(values.source.includes(":") ? {} : { loop: true }),
          ...(values.size === "" ? {} : { size: { width: width!, height: height! } }),
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
        const message = JSON.parse(line);
        if (message.type === "summary") summaries.push(message);
      },
      say() {},
    });
    const running = fleet.run();
    const begun = performance.now();
    const samples: Usage[] = [];
    const bar = new ProgressBar({ title: "Cameras" });
    const limit = values.seconds * 1000;
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
    const wanted = count * (values.fps || 15) * seconds;
    const optional = (pick: string) =>
      summaries.reduce((sum, summary) => sum + (summary[pick] ?? 0), 0);
    const late = steady.slice(-Math.ceil(steady.length / 2));
    const f = (value: number, digits = 0) => value.toFixed(digits);
    const most = Math.max(...steady.map(({ megabytes }) => megabytes));
    await report({
      name: "cameras",
      title: "Many cameras in one process",
      args,
      out: values.out,
      lines: [
        `${count} registered cameras, ${values.source} ` +
        (values.size === "" ? "" : `at ${values.size} and ${values.fps} frames/s, `) +
        `${f(seconds)} s, run as \`deno task cameras run\` runs them.`,
        "",
        ...table(["", ""], [
          [
            "published",
            `${total("published")} frames, ${f(100 * total("published") / wanted, 1)} % of ` +
            `${f(wanted)} (start included), ${f(total("bytes") / 1e6)} MB`,
          ],
          ["frames/s", f(total("published") / seconds, 1)],
          ["fewest of one camera", String(fewest)],
          ["dropped", String(total("dropped"))],
          [
            "late",
            `${optional("late")} frames, all recordings together ` +
            `${f(optional("behindSeconds"), 1)} s behind their own times`,
          ],
          ["processor", `${f(cores, 2)} cores`],
          [
            "memory",
            `${f(first.megabytes)} MB after ${f(first.at / 1000)} s, ${f(last.megabytes)} MB at ` +
            `the end, at most ${f(most)} MB; JavaScript holds ${f(last.scriptMegabytes)} MB`,
          ],
          ["memory by minute", `${byMinute(steady).map((mean) => f(mean)).join(", ")} MB`],
          [
            "slope",
            `${f(growth(steady))} MB an hour, in the second half ${f(growth(late))}`,
          ],
        ]),
      ],
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
