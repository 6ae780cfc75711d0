// A progress bar for queries that process a topic's backlog.
import type { OffsetJson, StreamingQueryProgress } from "../runtime/definition/progress.ts";
import { ProgressBar } from "./progress_bar.ts";

/** Progress of one streaming query, from its start to the end of the topic at that time. */
interface Progress {
  readonly start: number;
  readonly goal: number;
  at: number;
}

/** The progress of all streaming queries of a run through the backlog at their start. */
export class BacklogBar {
  readonly #bar: Pick<ProgressBar, "update" | "clear">;
  readonly #now: () => number;
  readonly #begun: number;
  readonly #queries = new Map<string, Progress>();

  /** @param now monotonic milliseconds; default `performance.now` */
  constructor(
    bar: Pick<ProgressBar, "update" | "clear"> = new ProgressBar({ title: "Queries" }),
    now: () => number = () => performance.now(),
  ) {
    this.#bar = bar;
    this.#now = now;
    this.#begun = now();
  }

  progress({ id, sources: [source] }: StreamingQueryProgress): void {
    const [start, end, latest] = [source!.startOffset, source!.endOffset, source!.latestOffset]
      .map(offsetOf);
    const way = this.#queries.get(id);
    // Frames published meanwhile are not part of the goal.
    if (way === undefined) this.#queries.set(id, { start: start!, goal: latest!, at: end! });
    else way.at = Math.max(way.at, end!);
    this.#draw();
  }

  /** Removes the bar, so that a line can be written. */
  clear(): void {
    this.#bar.clear();
  }

  #draw(): void {
    let done = 0;
    let total = 0;
    for (const { start, goal, at } of this.#queries.values()) {
      done += Math.min(at, goal) - start;
      total += goal - start;
    }
    const seconds = (this.#now() - this.#begun) / 1000;
    const rate = seconds > 0 ? `, ${(done / seconds).toFixed(0)}/s` : "";
    this.#bar.update(done, total, `${done} of ${total} frames${rate}`);
  }
}

/** The offset of the only partition that a streaming query reads. */
function offsetOf(json: OffsetJson): number {
  return Object.values(Object.values(json)[0] ?? {})[0] ?? 0;
}
