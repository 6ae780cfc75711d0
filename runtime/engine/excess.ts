// What a query that is behind leaves out, as its overload policy says.
import type { Frame } from "../definition/frame.ts";
import type { PartitionReader } from "../log/log.ts";
import type { IntakeOptions } from "./intake_options.ts";

/** Frames, and how far their reading went. */
export interface Taken {
  readonly frames: readonly Frame[];
  /** One past the last offset that was read, or left out: frames before it do not come any more. */
  readonly end: number;
}

/** Frames that are left for `latest` to read where it passes over others: the last offsets may be holes. */
const NEWEST_KEPT = 16;
/** After this many offsets what was seen before counts half. */
const RECENT = 1024;

/** Leaves frames out, and counts them. */
export class Excess {
  /** Access units come: what is left out must be read anyway, since later ones depend on it. */
  linked = false;
  readonly #options: Pick<IntakeOptions, "overload" | "onDropped">;
  readonly #source: Pick<PartitionReader, "buffered" | "latest" | "seek">;
  /** Frames that `sample` has looked at. */
  #sampled = 0;
  /** Where reading was; offsets since then, and frames among them. Transactions and compaction leave holes. */
  #end: number | undefined;
  #offsets = 0;
  #frames = 0;

  constructor(
    options: Pick<IntakeOptions, "overload" | "onDropped"> & {
      readonly source: Pick<PartitionReader, "buffered" | "latest" | "seek">;
    },
  ) {
    this.#options = options;
    this.#source = options.source;
  }

  /** What is to be processed of what was read. */
  leaveOut(taken: Taken, max: number): Taken {
    const { overload, onDropped } = this.#options;
    if (overload.kind === "wait") return taken;
    const { frames, end } = taken;
    const { buffered, latest } = this.#source;
    const density = this.#density(taken);
    const waiting = Math.max(Math.round((latest - end) * density), buffered);
    const total = frames.length + waiting;
    const keep = (kept: readonly Frame[]): Taken => {
      onDropped(frames.length - kept.length, "overload");
      return { frames: kept, end };
    };
    /** Read anyway: frames that later ones depend on, and offsets of which it is not known how many are frames. */
    const passTo = (offset: number): Taken => {
      if (this.linked || density < 1 || offset <= end) return keep([]);
      onDropped(frames.length + offset - end, "overload");
      this.#source.seek(offset);
      this.#end = offset;
      return { frames: [], end: offset };
    };
    switch (overload.kind) {
      case "latest":
        if (total <= 1) return taken;
        if (waiting > max && latest - NEWEST_KEPT > end) return passTo(latest - NEWEST_KEPT);
        // What is not buffered may be no frame: the newest one that is known is kept.
        return keep(buffered > 0 ? [] : frames.slice(-1));
      case "drop-oldest": {
        const excess = total - overload.maxLagFrames;
        if (excess <= 0) return taken;
        return excess >= frames.length
          ? passTo(end + excess - frames.length)
          : keep(frames.slice(excess));
      }
      case "sample":
        if (total <= overload.maxLagFrames) return taken;
        return keep(frames.filter(() => this.#sampled++ % overload.every === 0));
    }
  }

  /** Frames for each offset, as seen of late: 1 where there were no holes. */
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
