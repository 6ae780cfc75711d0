// The last minute of each lane's metrics, for charts.
import type { LaneView } from "../protocol.ts";

/** One minute at two samples per second. */
export const SAMPLES = 120;

/** What charts show of a lane at one moment. */
export interface Sample {
  readonly rates: readonly [framesIn: number, framesOut: number];
  /** NaN before the first frame. */
  readonly latencies: readonly [p50: number, p99: number];
  readonly lag: number;
}

export class Stats {
  readonly #lanes = new Map<string, Sample[]>();

  /** Adds a report of all lanes; drops lanes that are no longer in it. */
  push(lanes: readonly LaneView[]): void {
    const present = new Set(lanes.map(({ id }) => id));
    for (const id of this.#lanes.keys()) if (!present.has(id)) this.#lanes.delete(id);
    for (const lane of lanes) {
      const sample: Sample = {
        rates: [lane.framesPerSecondIn, lane.framesPerSecondOut],
        latencies: [lane.latencyP50Ms ?? NaN, lane.latencyP99Ms ?? NaN],
        lag: lane.lagFrames,
      };
      this.#lanes.set(lane.id, [...this.of(lane.id), sample].slice(-SAMPLES));
    }
  }

  /** The samples of a lane, oldest first. */
  of(lane: string): readonly Sample[] {
    return this.#lanes.get(lane) ?? [];
  }
}
