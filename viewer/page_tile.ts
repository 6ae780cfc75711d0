// A tile of a page, in its session.
import type { TileRequest } from "./protocol.ts";
import type { UnitFeed } from "./unit_feed.ts";

/** A tile and its sending state. */
export interface Tile {
  readonly slot: number;
  readonly lane: string;
  width: number;
  /** Whether the page decodes access units for it. */
  video: boolean;
  /** Sends access units, if the lane has them. */
  units: UnitFeed | undefined;
  /** There may be a newer picture than the last one sent. */
  behind: boolean;
  /** Since when a picture is being scaled for it, in `clock.monotonic()`. */
  preparing: number | undefined;
  sentOffset: number;
  /** In `clock.monotonic()`. */
  sentAt: number;
}

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
