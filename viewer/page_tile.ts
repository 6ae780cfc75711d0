// A tile of a page, in its session.
import type { TileRequest } from "./protocol.ts";
import type { UnitFeed } from "./unit_feed.ts";

export class Tile {
  readonly slot: number;
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
  sentOffset = NaN;
  /** Of the clock's `monotonic`. */
  sentAt = -Infinity;

  constructor({ slot, lane, width, video = false }: TileRequest) {
    [this.slot, this.lane, this.width, this.video] = [slot, lane, width, video];
  }
}
