// Validates messages of pages, since anyone can open a socket.
import { FLAG, range, TEXT, whole } from "../runtime/base/options.ts";
import { type Check, hasFields, isAbsentOr, isList } from "./checks.ts";
import {
  MAX_PAGE_MESSAGE,
  MAX_STEP,
  MAX_TILES,
  MAX_VIDEO_TILES,
  type PageMessage,
  SPEEDS,
  type TileRequest,
} from "./protocol.ts";

const isNumber = range({ min: -Infinity, max: Infinity }).takes;
const isText = TEXT.takes;
/** One of several kinds, which `field` names. */
const isOneOf = (field: string, kinds: Readonly<Record<string, Check>>): Check => (value) => {
  const kind = Object(value)[field];
  return typeof kind === "string" && Object.hasOwn(kinds, kind) && kinds[kind]!(value);
};

const isCount = whole(0).takes;
const isSpeed: Check = (speed) => SPEEDS.some((each) => each === speed);

const isTile = hasFields({
  lane: isText,
  width: whole(0, 0xffff).takes,
  video: isAbsentOr(FLAG.takes),
});

const isMessage = isOneOf("type", {
  watch: hasFields({
    tiles: (tiles) =>
      isList(isTile, MAX_TILES)(tiles) &&
      (tiles as TileRequest[]).filter(({ video }) => video).length <= MAX_VIDEO_TILES,
  }),
  drawn: hasFields({
    tiles: isList(
      (pair) => Array.isArray(pair) && pair.length === 2 && isText(pair[0]) && isCount(pair[1]),
      MAX_TILES,
    ),
  }),
  time: hasFields({
    generation: whole(0, 0xffffffff).takes,
    command: isOneOf("action", {
      live: () => true,
      pause: hasFields({ time: isNumber }),
      jump: hasFields({ lead: isText, time: isNumber }),
      seek: hasFields({ lead: isText, offset: isCount }),
      step: hasFields({ lead: isText, offset: isCount, by: whole(-MAX_STEP, MAX_STEP).takes }),
      play: hasFields({ time: isNumber, speed: isSpeed }),
    }),
  }),
});

/** Parses a message of a page; undefined if it is invalid. */
export function parsePageMessage(data: unknown): PageMessage | undefined {
  if (typeof data !== "string" || data.length > MAX_PAGE_MESSAGE) return undefined;
  try {
    const value: unknown = JSON.parse(data);
    return isMessage(value) ? value as PageMessage : undefined;
  } catch {
    return undefined; // not JSON: the caller disconnects such a page
  }
}
