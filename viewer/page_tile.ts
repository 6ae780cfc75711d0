// A tile of a page, in its session.
import type { Demand } from "../runtime/lanes.ts";
import type { TileRequest } from "./protocol.ts";
import type { UnitFeed } from "./unit_feed.ts";

export class Tile {
  readonly lane: string;
  width: number;
  /** Whether the page decodes access units for it. */
  video: boolean;
  /** Sends access units, if the lane has them. */
  units: UnitFeed | undefined;
  /** Newer pictures may be there than the one sent last. */
  behind = true;
  /** Since when a picture is being scaled for it, of the clock's `monotonic`. */
  preparing: number | undefined;
  sentOffset: number | undefined;
  /** Of the clock's `monotonic`. */
  sentAt = -Infinity;
  /** What it listens to, and how to stop. */
  demand: Demand | undefined;
  stop = () => {};

  constructor({ lane, width, video = false }: TileRequest) {
    [this.lane, this.width, this.video] = [lane, width, video];
  }
}
