// Drops frames where a query is behind, by its overload policy.
import type { Frame } from "../definition/frame.ts";
import type { OverloadPolicy } from "../definition/overload.ts";
import type { PartitionReader } from "../log/log.ts";
import type { DropReason } from "./reporter.ts";

/** Frames, and the end of the range they were read from. */
export interface Taken {
  readonly frames: readonly Frame[];
  /** One past the last offset that was read or dropped. */
  readonly end: number;
}

/** Frames left for `latest` to read when it skips others: the last offsets may be holes. */
const NEWEST_KEPT = 16;
/** After this many offsets, earlier observations count half. */
const RECENT = 1024;

export interface ExcessOptions {
  readonly source: Pick<PartitionReader, "buffered" | "latest" | "seek">;
  readonly overload: OverloadPolicy;
  /** The dropped frames are below offset `until`. */
  readonly onDropped: (count: number, reason: DropReason, until: number) => void;
}

export class Excess {
  /**
   * Access units come: they must be read even if they are dropped, since later ones depend on
   * them.
   */
  linked = false;
  readonly #options: ExcessOptions;
  #sampled = 0;
  /** Reading position; offsets since then, and frames among them. Transactions and compaction leave holes. */
  #end: number | undefined;
  #offsets = 0;
  #frames = 0;

  constructor(options: ExcessOptions) {
    this.#options = options;
  }

  /** The frames to process. */
  apply(taken: Taken, max: number): Taken {
    const { overload, source } = this.#options;
    if (overload.kind === "wait") return taken;
    const { frames, end } = taken;
    const { buffered, latest } = source;
    const density = this.#density(taken);
    const waiting = Math.max(Math.round((latest - end) * density), buffered);
    const total = frames.length + waiting;
    switch (overload.kind) {
      case "latest":
        if (total <= 1) return taken;
        if (waiting > max && latest - NEWEST_KEPT > end) {
          return this.#passTo(latest - NEWEST_KEPT, taken, density);
        }
        // What is not buffered may not be a frame: the newest known one is kept.
        return this.#keep(buffered > 0 ? [] : frames.slice(-1), taken);
      case "drop-oldest": {
        const excess = total - overload.maxLagFrames;
        if (excess <= 0) return taken;
        return excess >= frames.length
          ? this.#passTo(end + excess - frames.length, taken, density)
          : this.#keep(frames.slice(excess), taken);
      }
      case "sample":
        if (total <= overload.maxLagFrames) return taken;
        return this.#keep(frames.filter(() => this.#sampled++ % overload.every === 0), taken);
    }
  }

  #keep(kept: readonly Frame[], { frames, end }: Taken): Taken {
    const { onDropped } = this.#options;
    const first = kept[0];
    const before = first === undefined ? frames.length : frames.indexOf(first);
    onDropped(before, "overload", first?.offset ?? end);
    const between = frames.length - before - kept.length;
    if (between > 0) onDropped(between, "overload", end);
    return { frames: kept, end };
  }

  /** Passes offsets only where each is known to be a frame, and no later frame depends on it. */
  #passTo(offset: number, taken: Taken, density: number): Taken {
    if (this.linked || density < 1 || offset <= taken.end) return this.#keep([], taken);
    this.#options.onDropped(taken.frames.length + offset - taken.end, "overload", offset);
    this.#options.source.seek(offset);
    this.#end = offset;
    return { frames: [], end: offset };
  }

  /** Recent frames per offset: 1 without holes. */
  #density({ frames, end }: Taken): number {
    const start = this.#end ?? frames[0]?.offset ?? end;
    this.#end = end;
    this.#offsets += Math.max(0, end - start);
    this.#frames += frames.length;
    if (this.#offsets > RECENT) {
      this.#offsets /= 2;
      this.#frames /= 2;
    }
    return this.#offsets === 0 ? 1 : Math.min(1, this.#frames / this.#offsets);
  }
}
