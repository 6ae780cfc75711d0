// Validates messages of pages, since anyone can open a socket.
import {
  MAX_PAGE_MESSAGE,
  MAX_STEP,
  MAX_TILES,
  MAX_VIDEO_TILES,
  type PageMessage,
} from "./protocol.ts";

/** Parses a message of a page; undefined if it is invalid. */
export function parsePageMessage(data: unknown): PageMessage | undefined {
  if (typeof data !== "string" || data.length > MAX_PAGE_MESSAGE) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    return undefined; // not JSON: the caller disconnects such a page
  }
  if (!isObject(value)) return undefined;
  switch (value["type"]) {
    case "watch": {
      const tiles = value["tiles"];
      if (!Array.isArray(tiles) || tiles.length > MAX_TILES) return undefined;
      for (const tile of tiles) {
        if (!isObject(tile) || !isWhole(tile["slot"], 0xffff)) return undefined;
        if (typeof tile["lane"] !== "string" || !isWhole(tile["width"], 0xffff)) return undefined;
        if (!["boolean", "undefined"].includes(typeof tile["video"])) return undefined;
      }
      if (tiles.filter((tile) => tile.video === true).length > MAX_VIDEO_TILES) return undefined;
      return value as unknown as PageMessage;
    }
    case "drawn": {
      const tiles = value["tiles"];
      if (!Array.isArray(tiles) || tiles.length > MAX_TILES) return undefined;
      for (const pair of tiles) {
        if (!Array.isArray(pair) || pair.length !== 2) return undefined;
        if (!isWhole(pair[0], 0xffff) || !isWhole(pair[1], Number.MAX_SAFE_INTEGER)) {
          return undefined;
        }
      }
      return value as unknown as PageMessage;
    }
    case "time":
      if (!isWhole(value["generation"], 0xffffffff)) return undefined;
      return isTimeCommand(value["command"]) ? value as unknown as PageMessage : undefined;
    default:
      return undefined;
  }
}

function isTimeCommand(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { action, lead, offset, time, by, speed } = value;
  switch (action) {
    case "live":
      return true;
    case "pause":
      return isNumber(time);
    case "jump":
      return typeof lead === "string" && isNumber(time);
    case "seek":
      return typeof lead === "string" && isWhole(offset, Number.MAX_SAFE_INTEGER);
    case "step":
      return typeof lead === "string" && isWhole(offset, Number.MAX_SAFE_INTEGER) &&
        Number.isInteger(by) && Math.abs(by as number) <= MAX_STEP;
    case "play":
      return isNumber(time) && isNumber(speed);
    default:
      return false;
  }
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isWhole(value: unknown, maximum: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= maximum;
}
