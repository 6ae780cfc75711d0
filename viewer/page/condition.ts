/**
 * How a lane is, in words.
 *
 * @module
 */
import type { LaneView } from "../protocol.ts";
import { recent, span } from "./format.ts";

/** How a lane is, in one word that people and style sheets know. */
export type Condition = "starting" | "live" | "stalled" | "restarting" | "failed" | "stopped";

/** The condition of a lane. */
export function conditionOf(lane: LaneView): Condition {
  switch (lane.state) {
    case "failed":
    case "stopped":
    case "restarting":
      return lane.state;
    case "starting":
    case "running":
      if (lane.stalledSince !== undefined) return "stalled";
      return lane.lastFrameArrival === undefined ? "starting" : "live";
  }
}

/** What to write over a lane's picture; `now` is the server's clock, 0 while it is not known. */
export function noticeOf(lane: LaneView, now: number): { title: string; detail: string } {
  const { trouble: what = "", troubleSince } = lane;
  const trouble = troubleSince === undefined ? what : `${what} since ${recent(troubleSince)}`;
  const exception = lane.exception ?? trouble;
  switch (conditionOf(lane)) {
    case "live":
      return { title: "", detail: "" };
    case "starting":
      return { title: "Waiting for the first frame", detail: trouble };
    case "stalled": {
      const since = lane.stalledSince!;
      const ago = now > 0 ? `${span(now - since)} ago` : "";
      const detail = [ago, trouble].filter((part) => part !== "").join(" · ");
      return { title: `No frames since ${recent(since)}`, detail };
    }
    case "restarting":
      return { title: "Starting again", detail: exception };
    case "failed":
      return { title: "Query failed", detail: exception };
    case "stopped":
      return { title: "Query stopped", detail: trouble };
  }
}
