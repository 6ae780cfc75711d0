/**
 * An hour of 16 cameras at 15 frames/s, a query and a reader, each a process of its own on an embedded log: memory,
 * handles and files stay where they were, and every frame comes out once and in order.
 * `FRAMELANE_TEST_SOAK_S` makes it shorter or longer, `FRAMELANE_TEST_SOAK_FPS` slower for a machine with other work.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { CameraRegistry, openState } from "../../../cameras/registry.ts";
import type { TopicLog } from "../../../runtime/log/log.ts";
import { FramelaneProcess } from "../../support/framelane.ts";
import { withLog } from "../../support/log.ts";
import { openHandles, residentMiB } from "../../support/processes.ts";
import { reportRow, say } from "../../support/trial_report.ts";

const SECONDS = Number(Deno.env.get("FRAMELANE_TEST_SOAK_S") ?? 3600);
const FPS = Number(Deno.env.get("FRAMELANE_TEST_SOAK_FPS") ?? 15);
const CAMERAS = 16;
const SAMPLES = 60;
/** Of each partition: minutes of frames, since a query that has to wait for the processor must not lose any. */
const KEPT = 30_000_000;
/** What memory moves by itself, as garbage is collected. */
const NOISE_MIB = 32;
const HANDLES = 8;

/** What was looked at once in each sixtieth of the trial. */
interface Sample {
  readonly cameras: number;
  readonly query: number;
  readonly handles: number;
  readonly fileMiB: number;
  readonly walMiB: number;
}

Deno.test(`soak: ${SECONDS} s at ${CAMERAS} cameras`, async () => {
  await withLog(async (url, log, directory) => {
    const kept = `${url}?retention-bytes=${KEPT}`;
    const state = join(directory, "cameras.kv");
    await register(state);
    for (const topic of ["VideoStreaming", "OUT"]) await log.createTopic(topic, CAMERAS);
    const query = new FramelaneProcess([
      ...["queries", "greyscale", "--log", kept, "--sink", "topic:OUT", "--port", "off", "--json"],
      ...["--starting-offsets", "earliest"],
    ]);
    const cameras = new FramelaneProcess(
      ["cameras", "run", "--log", kept, "--state", state, "--json"],
    );
    const out = new OutputCheck(log);
    const samples: Sample[] = [];
    try {
      const checked = out.run();
      await query.until("the first frames", ({ lines }) => lines.length > CAMERAS, 300_000);
      for (let minute = 1; minute <= SAMPLES; minute++) {
        await Promise.race([
          checked,
          new Promise((resolve) => setTimeout(resolve, SECONDS * 1000 / SAMPLES)),
        ]);
        const sample = await look(join(directory, "log"), cameras.pid, query.pid);
        samples.push(sample);
        const { cameras: ours, query: its, handles, fileMiB, walMiB } = sample;
        const row = [minute, ours, its, handles, fileMiB, walMiB, out.seen];
        say(`| ${row.map(Math.round).join(" | ")} |`);
        // Output of a process is kept by the test: an hour of it is not needed.
        for (const { lines } of [query, cameras]) lines.splice(0, Math.max(0, lines.length - 1000));
      }
      await cameras.stop();
      const published = cameras.summaries.reduce((sum, line) => sum + (line.published ?? 0), 0);
      const dropped = cameras.summaries.reduce((sum, line) => sum + (line.dropped ?? 0), 0);
      await out.until(published);
      await query.stop();
      await checked;
      const verdict = { ...out.verdict, lost: out.verdict.lost - dropped };
      const { frames, outputs } = query.summaries[0]!;
      say(JSON.stringify({ published, dropped, seen: out.seen, frames, outputs, ...verdict }));
      say(query.said.join("\n"));
      assert.deepEqual(verdict, { lost: 0, doubled: 0, reordered: 0 });
      assert.deepEqual([frames, outputs], [published, published]);
      const rise = (of: (sample: Sample) => number) => grown(samples.map(of));
      const [ours, its, handles, files] = [
        rise(({ cameras }) => cameras),
        rise(({ query }) => query),
        rise(({ handles }) => handles),
        rise(({ fileMiB }) => fileMiB),
      ];
      const signed = (n: number) => `${n >= 0 ? "+" : ""}${Math.round(n)}`;
      reportRow({
        fault:
          `soak, ${SECONDS} s, ${CAMERAS} cameras × ${FPS} frames/s, ${published} frames: memory of the cameras ` +
          `${signed(ours)} MiB, of the query ${signed(its)} MiB, handles ${
            signed(handles)
          }, files ` +
          `${signed(files)} MiB`,
        repetitions: 1,
        verdict,
      });
      assert.ok(Math.max(ours, its) <= NOISE_MIB, `memory grew by ${ours} and ${its} MiB`);
      assert.ok(handles <= HANDLES, `${handles} handles more`);
      // Two topics, and a segment that is not full of each partition.
      const most = 2 * CAMERAS * KEPT * (1 + 2 / 16) / 2 ** 20 + 64;
      assert.ok(samples.every(({ fileMiB }) => fileMiB < most), `more than ${most} MiB of files`);
    } catch (error) {
      say(`${cameras.output()}\n${query.output()}`);
      throw error;
    } finally {
      out.stop();
      await cameras.kill();
      await query.kill();
    }
  });
});

async function register(state: string): Promise<void> {
  using kv = await openState(state);
  const registry = new CameraRegistry(kv);
  for (let number = 1; number <= CAMERAS; number++) {
    await registry.add({ number, source: `pattern:?size=320x240&fps=${FPS}` });
  }
}

async function look(folder: string, cameras: number, query: number): Promise<Sample> {
  return {
    cameras: await residentMiB(cameras),
    query: await residentMiB(query),
    handles: await openHandles(cameras) + await openHandles(query),
    fileMiB: await size(folder) / 2 ** 20,
    walMiB: (await Deno.stat(join(folder, "log.db-wal"))).size / 2 ** 20,
  };
}

async function size(path: string): Promise<number> {
  let sum = 0;
  for await (const { name, isDirectory } of Deno.readDir(path)) {
    try {
      sum += isDirectory ? await size(join(path, name)) : (await Deno.stat(join(path, name))).size;
    } catch (error) {
      // Retention was faster.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return sum;
}

/** By how much the mean of the last third is above that of the second. */
function grown(values: readonly number[]): number {
  const third = Math.floor(values.length / 3);
  const mean = (some: readonly number[]) => some.reduce((sum, n) => sum + n, 0) / some.length;
  return mean(values.slice(-third)) - mean(values.slice(third, 2 * third));
}

/** Follows the outputs by the cameras' own numbers: an hour of frames is not kept. */
class OutputCheck {
  readonly verdict = { lost: 0, doubled: 0, reordered: 0 };
  seen = 0;
  readonly #log: TopicLog;
  readonly #stop = new AbortController();
  #progress = Promise.withResolvers<void>();

  constructor(log: TopicLog) {
    this.#log = log;
  }

  async run(): Promise<void> {
    const reader = await this.#log.reader();
    try {
      await Promise.all(Array.from({ length: CAMERAS }, async (_, partition) => {
        const frames = await reader.open("OUT", partition, 0);
        let next = 0;
        while (!this.#stop.signal.aborted) {
          const some = await frames.read(64, this.#stop.signal).catch((error) => {
            if (this.#stop.signal.aborted) return [];
            throw error;
          });
          for (const { headers } of some) next = this.#take(Number(headers["seq"]), next);
          this.#progress.resolve();
          this.#progress = Promise.withResolvers();
        }
      }));
    } finally {
      await reader.close();
    }
  }

  #take(seq: number, next: number): number {
    this.seen++;
    if (seq === next - 1) this.verdict.doubled++;
    else if (seq < next) this.verdict.reordered++;
    else this.verdict.lost += seq - next;
    return Math.max(next, seq + 1);
  }

  /** Waits until this many frames were seen. */
  async until(frames: number): Promise<void> {
    const signal = AbortSignal.timeout(300_000);
    while (this.seen < frames) {
      signal.throwIfAborted();
      await Promise.race([this.#progress.promise, new Promise((next) => setTimeout(next, 1000))]);
    }
    this.stop();
  }

  stop(): void {
    this.#stop.abort();
  }
}
