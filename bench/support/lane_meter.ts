// How fast each lane is, by its own clock: from its first output to its last, as the Python peers
// count. Reports come once for each batch, too seldom for a backlog of a few seconds.
import type { Operator, Output } from "../../runtime/mod.ts";
import { cpuSeconds } from "./process_stats.ts";
import type { Rate } from "./rates.ts";

const CHANNEL = "framelane-bench-lanes";

/** When a lane was where, and what the process had used by then. */
interface Mark {
  /** Epoch milliseconds. */
  readonly at: number;
  /** Seconds of processor, all threads together. */
  readonly processor: number;
}

/** A lane's run. */
interface LaneRun {
  readonly frames: number;
  readonly first: Mark;
  readonly last: Mark;
}

const mark = (): Mark => ({
  at: performance.timeOrigin + performance.now(),
  processor: cpuSeconds(),
});

/** Passes everything on, and tells {@linkcode LaneMeter} how long it took. */
export function metered(): Operator<Output, Output> {
  return {
    name: "metered",
    open() {
      let frames = 0, first: Mark | undefined, last: Mark | undefined;
      return {
        process(output) {
          frames++;
          last = mark();
          first ??= last;
          return [output];
        },
        close() {
          if (first === undefined || last === undefined) return;
          const channel = new BroadcastChannel(CHANNEL);
          channel.postMessage({ frames, first, last } satisfies LaneRun);
          channel.close();
        },
      };
    },
  };
}

/** Collects what the lanes of one query tell at their ends. */
export class LaneMeter implements Disposable {
  readonly #channel = new BroadcastChannel(CHANNEL);
  readonly #runs: LaneRun[] = [];
  readonly #complete = Promise.withResolvers<void>();

  constructor(lanes: number) {
    this.#channel.onmessage = ({ data }: MessageEvent<LaneRun>) => {
      this.#runs.push(data);
      if (this.#runs.length === lanes) this.#complete.resolve();
    };
  }

  /** The rate of all lanes together. */
  async rate(): Promise<Rate> {
    await this.#complete.promise;
    const runs = this.#runs;
    const first = runs.map((run) => run.first).reduce((a, b) => a.at < b.at ? a : b);
    const last = runs.map((run) => run.last).reduce((a, b) => a.at > b.at ? a : b);
    const frames = runs.reduce((sum, run) => sum + run.frames - 1, 0);
    return {
      rate: runs.reduce(
        (sum, { frames, first, last }) => sum + (frames - 1) * 1000 / (last.at - first.at),
        0,
      ),
      ms: (last.processor - first.processor) * 1000 / frames,
    };
  }

  [Symbol.dispose](): void {
    this.#channel.close();
  }
}
