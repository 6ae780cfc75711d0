// The condition of a lane.
import type { LaneView } from "../protocol.ts";
import { recent, span } from "./format.ts";

/** A lane's condition, as shown to users and used by style sheets. */
export const CONDITIONS = [
  "live",
  "starting",
  "stalled",
  "restarting",
  "failed",
  "stopped",
] as const;
export type Condition = typeof CONDITIONS[number];

/** A frame this long after a camera's problem was reported shows that it is over, milliseconds. */
const OVER_MS = 1_000;

/** The camera's problem; empty if a frame was captured since, and has arrived: a query may be behind. */
function troubleOf(
  { trouble = "", troubleSince = Infinity, lastFrameArrival = 0, lastFrameTimestamp = Infinity }:
    LaneView,
): string {
  return Math.min(lastFrameArrival, lastFrameTimestamp) > troubleSince + OVER_MS ? "" : trouble;
}

export function conditionOf(lane: LaneView): Condition {
  if (lane.state !== "running") return lane.state;
  if (lane.stalledSince !== undefined || troubleOf(lane) !== "") return "stalled";
  return lane.lastFrameArrival === undefined ? "starting" : "live";
}

/** The notice over a lane's picture; `now` is the server's clock, 0 if unknown. */
export function noticeOf(lane: LaneView, now: number): { title: string; detail: string } {
  const { troubleSince, stalledSince, exception = "" } = lane;
  const trouble = troubleOf(lane);
  const since = troubleSince === undefined ? "" : `since ${recent(troubleSince)}`;
  const ofCamera = [trouble, trouble === "" ? "" : since].filter((part) => part !== "").join(" ");
  switch (conditionOf(lane)) {
    case "live":
      return { title: "", detail: "" };
    case "starting":
      return {
        title: lane.state === "starting" ? "Query is starting" : "Waiting for the first frame",
        detail: ofCamera,
      };
    case "stalled": {
      if (trouble !== "") return { title: trouble, detail: since };
      const ago = now > 0 ? `${span(now - stalledSince!)} ago` : "";
      return { title: `No frames since ${recent(stalledSince!)}`, detail: ago };
    }
    case "restarting":
      return { title: "Query is restarting", detail: exception || ofCamera };
    case "failed":
      return { title: "Query failed", detail: exception || ofCamera };
    case "stopped":
      return { title: "Query stopped", detail: ofCamera };
  }
}

/** Why a wall shows no lanes; `some`: the address selects cameras. */
export function emptyMessage(lanes: readonly LaneView[], some: boolean): string {
  if (lanes.some((lane) => !isGone(lane))) return "No camera matches";
  const failed = lanes.find(({ state }) => state === "failed");
  if (failed !== undefined) return `Query ${failed.query} failed: ${failed.exception ?? ""}`;
  return some
    ? "None of these cameras exists"
    : "No cameras yet. Start one with: deno task camera 1";
}

/** Whether the lane has no camera: it never had one, or it was removed. */
export function isGone({ unused, removed }: LaneView): boolean {
  return unused === true || removed === true;
}
