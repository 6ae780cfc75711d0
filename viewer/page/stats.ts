// The last minute of each lane's metrics, for charts.
import type { LaneView } from "../protocol.ts";
import { Series } from "./chart.ts";

/** One minute at two samples per second. */
const SAMPLES = 120;

export class LaneStats {
  readonly framesIn = new Series(SAMPLES);
  readonly framesOut = new Series(SAMPLES);
  readonly latencyP50 = new Series(SAMPLES);
  readonly latencyP99 = new Series(SAMPLES);
  readonly lag = new Series(SAMPLES);

  push(lane: LaneView): void {
    this.framesIn.push(lane.framesPerSecondIn);
    this.framesOut.push(lane.framesPerSecondOut);
    this.latencyP50.push(lane.latencyP50Ms ?? NaN);
    this.latencyP99.push(lane.latencyP99Ms ?? NaN);
    this.lag.push(lane.lagFrames);
  }
}

export class Stats {
  readonly #lanes = new Map<string, LaneStats>();

  /** Adds a report of all lanes; drops lanes that are no longer in it. */
  push(lanes: readonly LaneView[]): void {
    const present = new Set<string>();
    for (const lane of lanes) {
      present.add(lane.id);
      this.of(lane.id).push(lane);
    }
    for (const id of this.#lanes.keys()) if (!present.has(id)) this.#lanes.delete(id);
  }

  of(lane: string): LaneStats {
    let stats = this.#lanes.get(lane);
    if (stats === undefined) this.#lanes.set(lane, stats = new LaneStats());
    return stats;
  }
}
