// One tile of a page, as its session sees it.
import type { TileRequest } from "./protocol.ts";
import type { UnitFeed } from "./unit_feed.ts";

/** A tile and what it was sent. */
export interface Tile {
  readonly slot: number;
  readonly lane: string;
  width: number;
  /** The page decodes access units for it. */
  video: boolean;
  /** Sends them, where the lane has them. */
  units: UnitFeed | undefined;
  /** Newer pictures may be there than the one sent last. */
  behind: boolean;
  /** Since when a picture is being scaled for it, of the clock's `monotonic`. */
  preparing: number | undefined;
  sentOffset: number;
  /** Of the clock's `monotonic`. */
  sentAt: number;
}

/** A tile that was sent nothing yet. */
export function newTile({ slot, lane, width, video = false }: TileRequest): Tile {
  return {
    slot,
    lane,
    width,
    video,
    units: undefined,
    behind: true,
    preparing: undefined,
    sentOffset: NaN,
    sentAt: -Infinity,
  };
}
