// Several runtimes in one group, cameras that never rest, of images and of H.264, and outputs of every
// kind that outlives a process: what is lost, doubled or reordered when runtimes come and go.
import assert from "node:assert/strict";
import type { TopicLog } from "../../runtime/log/log.ts";
import { retry } from "../../runtime/base/wait.ts";
import { Cameras } from "../support/cameras.ts";
import { assertFlawless, total, type Verdict } from "../support/checker.ts";
import { FramelaneProcess } from "../support/framelane.ts";
import { say } from "../support/trial_report.ts";
import { PATIENCE_MS, until } from "../support/until.ts";
import { judgeImages, judgeTopic } from "./outputs.ts";

/** Where the runtimes work. */
export interface GroupBedOptions {
  readonly log: TopicLog;
  readonly url: string;
  /** Topic of the cameras; the outputs' topic and the group are named after it. */
  readonly source: string;
  readonly folder: string;
  readonly partitions?: number;
  readonly sessionTimeoutMs: number;
  /** A command that runs each runtime, such as `ip netns exec NAME`. */
  readonly within?: readonly string[];
  /** Frames of each camera in a second, about. Default 50. */
  readonly framesPerSecond?: number;
}

/** Cameras, a group, and its outputs. */
export class GroupBed {
  partitions: number;
  readonly #options: GroupBedOptions;
  readonly #runtimes = new Set<FramelaneProcess>();
  readonly #cameras: Cameras;

  constructor(options: GroupBedOptions) {
    this.#options = options;
    this.partitions = options.partitions ?? 4;
    const { log, source, framesPerSecond = 50 } = options;
    this.#cameras = new Cameras({
      log,
      topic: source,
      cameras: this.partitions,
      everyMs: 2000 / framesPerSecond,
    });
  }

  /** Runs a trial with the cameras on; afterwards everything must be there once and in order. */
  async run(trial: (bed: this) => Promise<void>): Promise<Verdict> {
    await this.#options.log.createTopic(this.output, this.partitions);
    await this.#cameras.start();
    try {
      await trial(this);
      const published = await this.#cameras.stop();
      for (const runtime of [...this.#runtimes]) await this.stop(runtime);
      const rest = this.start("--trigger", "available-now");
      assert.equal(await rest.ended(), 0, rest.output());
      this.#runtimes.delete(rest);
      const { log, folder } = this.#options;
      const verdict = total([
        await judgeTopic(log, this.output, this.partitions, published),
        await judgeImages(folder, published),
      ]);
      assertFlawless(verdict, "topic and images");
      return verdict;
    } catch (error) {
      // What the runtimes had to say is the best hint there is.
      say(`${this.#cameras.count} frames of each camera`);
      for (const runtime of this.#runtimes) say(`${runtime.pid}:\n${runtime.output()}`);
      throw error;
    } finally {
      for (const runtime of this.#runtimes) await runtime.kill();
      await this.#cameras.stop();
    }
  }

  get output(): string {
    return `${this.#options.source}-OUT`;
  }

  /** Starts a runtime of the group, or one of its own with `--partitions`. */
  start(...more: readonly string[]): FramelaneProcess {
    return this.startWithin(this.#options.within ?? [], ...more);
  }

  /** The same, run by another command. */
  startWithin(within: readonly string[], ...more: readonly string[]): FramelaneProcess {
    const { url, source, folder, sessionTimeoutMs } = this.#options;
    const runtime = new FramelaneProcess([
      "queries",
      "passthrough",
      "--log",
      url,
      "--topic",
      source,
      "--group",
      `${source}-passthrough`,
      "--sink",
      `topic:${this.output}`,
      "--sink",
      `images:${folder}`,
      "--starting-offsets",
      "earliest",
      "--session-timeout",
      String(sessionTimeoutMs),
      "--port",
      "off",
      "--executors",
      "1",
      "--json",
      ...more,
    ], { within });
    this.#runtimes.add(runtime);
    return runtime;
  }

  /** Frames of each camera so far. */
  get published(): number {
    return this.#cameras.count;
  }

  /** Adds a camera with a partition of its own while everything runs. */
  async addCamera(): Promise<void> {
    await this.#cameras.add();
    this.partitions++;
  }

  /** Ends a runtime as Ctrl-C does. */
  async stop(runtime: FramelaneProcess): Promise<void> {
    this.#runtimes.delete(runtime);
    await runtime.stop();
  }

  async kill(runtime: FramelaneProcess): Promise<void> {
    this.#runtimes.delete(runtime);
    await runtime.kill();
  }

  /** Waits until a runtime has reported progress of this many partitions. */
  async owns(runtime: FramelaneProcess, atLeast: number): Promise<void> {
    const seen = runtime.lines.length;
    await runtime.until(
      `${atLeast} partitions`,
      ({ lines }) =>
        new Set(
          lines.slice(seen).flatMap((line) =>
            line.type === "progress" ? [line.progress.partition] : []
          ),
        ).size >= atLeast,
    );
  }

  /**
   * Milliseconds until the outputs of every partition hold a frame that was published from now on: runtimes
   * that are frozen or dead now had no part in it.
   */
  async untilAllMove(timeoutMs = PATIENCE_MS): Promise<number> {
    const { log } = this.#options;
    const started = performance.now();
    // Frames of the go that is under way may be in the log already.
    const target = this.#cameras.count + 4;
    const signal = AbortSignal.timeout(timeoutMs);
    const reader = await log.reader();
    try {
      await Promise.all(Array.from({ length: this.partitions }, async (_, partition) => {
        // A partition that is new gets its output with the first frame.
        await retry(() => log.createTopic(this.output, this.partitions), { signal });
        const { latest } = await retry(() => log.offsets(this.output, partition), { signal });
        const output = await retry(() => reader.open(this.output, partition, latest), { signal });
        for (let seq = -1; seq < target;) {
          const frames = await output.read(1000, signal);
          seq = Math.max(seq, ...frames.map(({ headers }) => Number(headers["seq"])));
        }
      }));
    } finally {
      await reader.close();
    }
    return performance.now() - started;
  }
}

/** Two runtimes take the same partitions by name: of each one writes, and one that has none left ends and says why. */
export async function twins(bed: GroupBed): Promise<void> {
  const all = Array.from({ length: bed.partitions }, (_, partition) => partition);
  const first = bed.start("--partitions", all.join());
  await bed.owns(first, bed.partitions);
  const both = [first, bed.start("--partitions", all.join())];
  // The log says so, or a sink that notices it first.
  const hasLost = ({ said }: FramelaneProcess) => (partition: number) =>
    said.some((line) =>
      line.includes(`PARTITION-${partition} failed: `) && /another (owner|runtime)/.test(line)
    );
  // The first one's, but where a lane of it has just moved to another executor and takes its partition again.
  await until(
    "one writer of each",
    () => all.every((partition) => both.some((one) => hasLost(one)(partition))),
  );
  for (const one of both.filter((one) => all.every(hasLost(one)))) {
    await one.until("its end", ({ hasEnded }) => hasEnded);
    assert.equal(await one.ended(), 1, one.output());
  }
  await bed.untilAllMove();
}

/** Rolling bounces: each runtime in turn ends and a new one comes. */
export async function bounce(
  bed: GroupBed,
  rounds: number,
  end: (bed: GroupBed, runtime: FramelaneProcess, round: number) => Promise<void>,
): Promise<void> {
  const runtimes = [bed.start(), bed.start(), bed.start()];
  for (const runtime of runtimes) await bed.owns(runtime, 1);
  for (let round = 0; round < rounds; round++) {
    for (let index = 0; index < runtimes.length; index++) {
      await end(bed, runtimes[index]!, round);
      runtimes[index] = bed.start();
      await bed.owns(runtimes[index]!, 1);
    }
  }
}
