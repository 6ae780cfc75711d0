// `/api`: lanes, queries, alerts, and recorded frames.
import type { Context, Hono } from "hono";
import type { Lane } from "../runtime/lanes.ts";
import { maySee } from "./access.ts";
import { clipOf } from "./clips.ts";
import { Connections } from "./connections.ts";
import type { History } from "./history.ts";
import { type Env, image, json, numbersOf, problem } from "./respond.ts";
import { streamOf } from "./stream.ts";
import type { Surroundings } from "./surroundings.ts";

/** Five minutes at 30 frames per second. */
const MAX_CLIP_FRAMES = 9_000;
/** Encoding uses a core: more concurrent clips would slow down the queries. */
const CLIPS_AT_A_TIME = 2;
const NO_LANE = "No such lane";
const NO_FRAMES = "The log does not hold these frames";
const NO_LOG = "This viewer has no log to look back into";

export function apiRoutes(
  app: Hono<Env>,
  { hub, queries, alerts, history, report, signal }: Surroundings,
): void {
  const encoders = new Connections(CLIPS_AT_A_TIME);
  /** Adds a route about the past of one lane. */
  const ofLane = (
    path: string,
    answer: (c: Context<Env>, lane: Lane, history: History) => Promise<Response>,
  ) =>
    app.get(path, async (c) => {
      const lane = hub.lane(c.req.query("lane") ?? "", c.var.visitor);
      if (lane === undefined) return problem(c, 404, NO_LANE);
      return history === undefined ? problem(c, 503, NO_LOG) : await answer(c, lane, history);
    });

  app.get("/api/lanes", async (c) => {
    await hub.measure();
    return json(c, hub.lanes(c.var.visitor));
  });

  app.get("/api/queries", (c) => {
    const { visitor } = c.var;
    const all = queries.progress?.() ?? [];
    return json(c, all.filter(({ partition }) => maySee(visitor, partition)));
  });

  app.get("/api/queries/:lane", (c) => {
    const lane = hub.lanes(c.var.visitor).find(({ id }) => id === c.req.param("lane"));
    if (lane === undefined) return problem(c, 404, NO_LANE);
    const reports = queries.history?.(lane.id) ?? { progress: [], plan: "" };
    return json(c, { lane, now: hub.clock.now(), ...reports });
  });

  app.get("/api/alerts", (c) => json(c, alerts.since(0, c.var.visitor)));

  app.get("/api/alerts/thumbnail", async (c) => {
    const { visitor } = c.var;
    const alert = alerts.find(c.req.query("id") ?? "", visitor);
    const lane = hub.lane(alert?.lane ?? "", visitor);
    if (alert === undefined || lane === undefined) return problem(c, 404, "No such alert");
    const picture = await history?.at(lane, alert.fromOffset);
    // Its frames are gone from the log: a later one is not its picture.
    return picture?.offset === alert.fromOffset
      ? await image(c, hub.scaler, picture, { "cache-control": "private, max-age=3600" })
      : c.body(null, 204, { "cache-control": "no-store" });
  });

  ofLane("/api/range", async (c, lane, history) => {
    const range = await history.range(lane);
    const [after, before] = numbersOf(c, "after", "before");
    if (after === undefined || before === undefined || after >= before) return json(c, range);
    return json(c, { ...range, gaps: await history.gaps(lane, after, before) });
  });

  ofLane("/api/frame", async (c, lane, history) => {
    const [offset, time] = numbersOf(c, "offset", "time");
    if (offset === undefined && time === undefined) {
      return problem(c, 400, "Expected offset=N or time=EPOCH-MILLISECONDS");
    }
    const picture = offset !== undefined
      ? await history.at(lane, offset)
      : await history.atTime(lane, time!);
    if (picture === undefined || (offset !== undefined && picture.offset !== offset)) {
      return problem(c, 404, "The log does not hold this frame");
    }
    // An offset identifies a frame; the frame at a time may still change.
    const cache = offset !== undefined ? "private, max-age=300" : "private, no-cache";
    return await image(c, hub.scaler, picture, { "cache-control": cache });
  });

  ofLane("/api/clip.mp4", async (c, lane, history) => {
    const range = await clipRange(c, history, lane);
    if (range === undefined) {
      return problem(
        c,
        400,
        `Expected from=OFFSET&to=OFFSET or after=MS&before=MS of at most ${MAX_CLIP_FRAMES} frames`,
      );
    }
    const { from, cut = false } = range;
    // Does not wait for future frames.
    const to = Math.min(range.to, (await history.offsets(lane)).latest - 1);
    const first = to < from ? undefined : await history.source(lane, from);
    if (first === undefined || first.offset > to) return problem(c, 404, NO_FRAMES);
    const leave = encoders.enter();
    if (leave === undefined) {
      c.header("retry-after", "5");
      return problem(c, 503, "Too many clips at the moment: try again in a few seconds");
    }
    const name = `camera-${lane.partition + 1}-${from}-${to}.mp4`;
    const request = { lane, from: first.offset, to };
    const stream = await streamOf(
      (signal) => clipOf(history, { ...request, signal }, report),
      { stopped: signal, onEnd: leave },
    );
    return stream === undefined ? problem(c, 404, NO_FRAMES) : c.body(stream, 200, {
      "content-type": "video/mp4",
      "content-disposition": `attachment; filename="${name}"`,
      "cache-control": "no-store",
      ...(cut ? { "x-framelane-cut-after": `${MAX_CLIP_FRAMES}` } : {}),
    });
  });
}

/** The offsets of a clip: given directly, or by two capture times. */
async function clipRange(
  c: Context<Env>,
  history: History,
  lane: Lane,
): Promise<{ from: number; to: number; cut?: boolean } | undefined> {
  const [after, before, first, end] = numbersOf(c, "after", "before", "from", "to");
  const byTime = after !== undefined && before !== undefined && after < before;
  const from = byTime ? await history.offsetAt(lane, after) : first;
  const to = byTime ? await history.offsetAt(lane, before) - 1 : end;
  if (from === undefined || to === undefined) return undefined;
  // The number of frames in a time range is unknown: too long clips are cut.
  const last = from + MAX_CLIP_FRAMES - 1;
  if (byTime) return { from, to: Math.min(to, last), cut: to > last };
  return to >= from && to <= last ? { from, to } : undefined;
}
