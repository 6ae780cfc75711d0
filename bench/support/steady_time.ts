// How fast a query is while all of its lanes are at work: from the last lane's first report to the first
// lane's last one. What lies before and after is start and end, of which a short backlog holds a lot.
import { cpuSeconds } from "./process_stats.ts";
import type { Rate } from "./rates.ts";

/** What has been done, or used, by when. */
interface Mark {
  readonly at: number;
  readonly sum: number;
}

/** Takes the reports of the lanes as they come. */
export class SteadyTime {
  readonly #outputs = new Map<number, Mark[]>();
  readonly #processor: Mark[] = [];

  /** A lane has reported all its outputs so far. */
  reported(lane: number, outputs: number): void {
    const at = performance.now();
    this.#outputs.set(lane, [...this.#outputs.get(lane) ?? [], { at, sum: outputs }]);
    this.#processor.push({ at, sum: cpuSeconds() });
  }

  /** @throws when a lane ended before all were at work: the backlog is too short. */
  rate(): Rate {
    const lanes = [...this.#outputs.values()];
    const from = Math.max(...lanes.map((marks) => marks[0]!.at));
    const to = Math.min(...lanes.map((marks) => marks.at(-1)!.at));
    if (!(to > from)) throw new Error("Cannot measure so short a backlog: expected a few seconds");
    const done = lanes.reduce((sum, marks) => sum + sumAt(marks, to) - sumAt(marks, from), 0);
    const processor = sumAt(this.#processor, to) - sumAt(this.#processor, from);
    return { rate: done * 1000 / (to - from), ms: processor * 1000 / done };
  }
}

/** The sum at a time between two reports, as if it had grown evenly. */
function sumAt(marks: readonly Mark[], time: number): number {
  const next = Math.max(1, marks.findIndex(({ at }) => at >= time));
  const [before, after] = [marks[next - 1]!, marks[next]!];
  return before.sum + (after.sum - before.sum) * (time - before.at) / (after.at - before.at);
}
