/**
 * `/api`: lanes, queries, alerts, and what the log still holds.
 *
 * @module
 */
import type { Context, Hono } from "hono";
import type { Lane } from "../runtime/lanes.ts";
import { maySee } from "./access.ts";
import type { AlertBook } from "./alerts.ts";
import type { History } from "./history.ts";
import type { Hub } from "./hub.ts";
import { type Env, image, json, problem, wholeNumber } from "./respond.ts";

/** What goes into a clip. */
export interface ClipRequest {
  readonly lane: Lane;
  /** First and last offset, both included. */
  readonly from: number;
  readonly to: number;
  /** Aborts when the viewer stops. A stream that nobody wants any more is cancelled. */
  readonly signal: AbortSignal;
}

/** Makes an MP4 of frames that the log holds. */
export type ClipProvider = (
  request: ClipRequest,
) => Promise<Uint8Array | ReadableStream<Uint8Array>>;

/** What the routes serve from. */
export interface ApiOptions {
  readonly hub: Hub;
  readonly alerts: AlertBook;
  /** Absent when there is no log to look back into. */
  readonly history?: History | undefined;
  readonly clips?: ClipProvider | undefined;
  readonly signal: AbortSignal;
}

/** Five minutes at 30 frames a second. */
const MAX_CLIP_FRAMES = 9_000;
const NO_LANE = "There is no such lane";
const NO_LOG = "This viewer has no log to look back into";

/** Adds the routes. */
export function apiRoutes(
  app: Hono<Env>,
  { hub, alerts, history, clips, signal }: ApiOptions,
): void {
  const laneOf = (c: Context<Env>) => hub.lane(c.req.query("lane") ?? "", c.var.visitor);

  app.get("/api/lanes", (c) => json(c, hub.lanes(c.var.visitor)));

  app.get("/api/queries", (c) => {
    const { visitor } = c.var;
    return json(c, hub.feed.progress().filter(({ partition }) => maySee(visitor, partition)));
  });

  app.get("/api/queries/:lane", (c) => {
    const lane = hub.lanes(c.var.visitor).find(({ id }) => id === c.req.param("lane"));
    if (lane === undefined) return problem(c, 404, NO_LANE);
    return json(c, { lane, now: hub.clock.now(), ...hub.feed.history(lane.id) });
  });

  app.get("/api/alerts", (c) => json(c, alerts.since(0, c.var.visitor)));

  app.get("/api/alerts/thumbnail", async (c) => {
    const thumbnail = await alerts.thumbnail(c.req.query("id") ?? "", c.var.visitor);
    if (thumbnail === undefined) return problem(c, 404, "There is no such alert");
    return c.body(thumbnail.bytes as Uint8Array<ArrayBuffer>, 200, {
      "content-type": thumbnail.contentType,
      "cache-control": "private, max-age=3600",
    });
  });

  app.get("/api/range", async (c) => {
    const lane = laneOf(c);
    if (lane === undefined) return problem(c, 404, NO_LANE);
    if (history === undefined) return problem(c, 503, NO_LOG);
    return json(c, await history.range(lane));
  });

  app.get("/api/frame", async (c) => {
    const lane = laneOf(c);
    if (lane === undefined) return problem(c, 404, NO_LANE);
    if (history === undefined) return problem(c, 503, NO_LOG);
    const offset = wholeNumber(c.req.query("offset"));
    const time = wholeNumber(c.req.query("time"));
    if (offset === undefined && time === undefined) {
      return problem(c, 400, "Expected offset=N or time=EPOCH-MILLISECONDS");
    }
    const picture = offset !== undefined
      ? await history.at(lane, offset)
      : await history.atTime(lane, time!);
    if (picture === undefined || (offset !== undefined && picture.offset !== offset)) {
      return problem(c, 404, "The log does not hold this frame");
    }
    // An offset says which frame it is; what was to be seen at a time may still be appended.
    const cache = offset !== undefined ? "private, max-age=300" : "private, no-cache";
    return await image(c, hub.scaler, picture, { "cache-control": cache });
  });

  app.get("/api/clip.mp4", async (c) => {
    const lane = laneOf(c);
    if (lane === undefined) return problem(c, 404, NO_LANE);
    if (clips === undefined) return problem(c, 503, "This viewer makes no clips");
    const from = wholeNumber(c.req.query("from"));
    const to = wholeNumber(c.req.query("to"));
    if (from === undefined || to === undefined || to < from || to - from >= MAX_CLIP_FRAMES) {
      return problem(
        c,
        400,
        `Expected from=OFFSET and to=OFFSET of at most ${MAX_CLIP_FRAMES} frames`,
      );
    }
    const body = await clips({ lane, from, to, signal });
    const name = `camera-${lane.partition + 1}-${from}-${to}.mp4`;
    return c.body(body as Uint8Array<ArrayBuffer> | ReadableStream, 200, {
      "content-type": "video/mp4",
      "content-disposition": `attachment; filename="${name}"`,
      "cache-control": "no-store",
    });
  });
}
