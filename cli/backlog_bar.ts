// How far queries are with what a topic holds, as a bar on a terminal.
import type { OffsetJson, StreamingQueryProgress } from "../runtime/definition/progress.ts";
import { ProgressBar } from "./progress_bar.ts";

/** One streaming query on its way from where it began to where the topic ended then. */
interface Way {
  readonly start: number;
  readonly goal: number;
  at: number;
}

/** What all streaming queries of a run have done of what there was when they began. */
export class BacklogBar {
  readonly #bar: Pick<ProgressBar, "update" | "clear">;
  readonly #now: () => number;
  readonly #begun: number;
  readonly #ways = new Map<string, Way>();

  /** @param now milliseconds, any start; `performance.now` unless given */
  constructor(
    bar: Pick<ProgressBar, "update" | "clear"> = new ProgressBar({ title: "Queries" }),
    now: () => number = () => performance.now(),
  ) {
    this.#bar = bar;
    this.#now = now;
    this.#begun = now();
  }

  /** A batch was committed. */
  progress({ id, sources: [source] }: StreamingQueryProgress): void {
    if (source === undefined) return;
    const [start, end, latest] = [source.startOffset, source.endOffset, source.latestOffset]
      .map(offsetOf);
    const way = this.#ways.get(id);
    // What a camera publishes meanwhile is the next run's.
    if (way === undefined) this.#ways.set(id, { start: start!, goal: latest!, at: end! });
    else way.at = Math.max(way.at, end!);
    this.#draw();
  }

  /** Takes the bar away, so that a line can be written. */
  clear(): void {
    this.#bar.clear();
  }

  #draw(): void {
    let done = 0;
    let total = 0;
    for (const { start, goal, at } of this.#ways.values()) {
      done += Math.min(at, goal) - start;
      total += goal - start;
    }
    const seconds = (this.#now() - this.#begun) / 1000;
    const rate = seconds > 0 ? `, ${(done / seconds).toFixed(0)}/s` : "";
    this.#bar.update(done, total, `${done} of ${total} frames${rate}`);
  }
}

/** The offset of the one partition that a streaming query reads. */
function offsetOf(json: OffsetJson): number {
  return Object.values(Object.values(json)[0] ?? {})[0] ?? 0;
}
