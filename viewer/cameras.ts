// `/cam/N`, `/cam/N.jpg` and `/cam/N.mp4`: single cameras, for curl, `<img>`, `<video>` and other programs.
import type { Context, Hono } from "hono";
import { shown } from "../runtime/base/options.ts";
import type { Lane } from "../runtime/lanes.ts";
import { videoCodecOf } from "../runtime/video/access_unit.ts";
import { type Access, maySee } from "./access.ts";
import { liveVideo } from "./clips.ts";
import type { Hub } from "./hub.ts";
import { cameraText } from "./protocol.ts";
import { MJPEG_CONTENT_TYPE, mjpegOf } from "./mjpeg.ts";
import { busy, type Env, image, plain, widthOf } from "./respond.ts";
import { streamOf } from "./stream.ts";
import type { Surroundings } from "./surroundings.ts";

export function cameraRoutes(
  app: Hono<Env>,
  { hub, access, connections, history, signal }: Surroundings,
): void {
  /** Answers with pictures as they come. */
  const stream = async (
    c: Context<Env>,
    lane: Lane,
    contentType: string,
    chunks: Parameters<typeof streamOf>[0],
  ) => {
    const leave = connections.enter();
    if (leave === undefined) return busy(c);
    const body = await streamOf(chunks, { stopped: signal, onEnd: leave, endless: true });
    return body === undefined ? notYet(c, lane) : c.body(body, 200, {
      "content-type": contentType,
      "cache-control": "no-store",
      ...embedding(c, access),
    });
  };

  app.get("/cam/:file{[0-9]{1,6}\\.jpg}", async (c) => {
    const lane = laneOf(c, hub, parseInt(c.req.param("file")));
    if (lane === undefined) return plain(c, 404, "No such camera");
    const picture = await hub.newest(lane);
    if (picture === undefined) return notYet(c, lane);
    const headers = { "cache-control": "private, no-cache", ...embedding(c, access) };
    return await image(c, hub.scaler, picture, headers);
  });

  app.get("/cam/:file{[0-9]{1,6}\\.mp4}", async (c) => {
    const lane = laneOf(c, hub, parseInt(c.req.param("file")));
    if (lane === undefined) return plain(c, 404, "No such camera");
    if (history === undefined) return plain(c, 503, "This viewer has no log to read video from");
    const newest = await history.newest(lane);
    if (newest === undefined) return notYet(c, lane);
    const type = newest.headers["content-type"];
    if (videoCodecOf(type) === undefined) {
      return plain(
        c,
        415,
        `${cameraText(lane)} sends ${
          type === undefined ? "images" : shown(type)
        }: only H.264 and H.265 are streamed as MP4, and /cam/${
          lane.partition + 1
        } shows all cameras as MJPEG`,
      );
    }
    const from = await history.keyframeBefore(newest);
    if (from === undefined) {
      return plain(c, 503, `${cameraText(lane)} has sent no keyframe yet`, { "retry-after": "1" });
    }
    return await stream(
      c,
      lane,
      "video/mp4",
      (signal) => liveVideo(history, { lane, from, signal }),
    );
  });

  app.get("/cam/:number{[0-9]{1,6}}", async (c) => {
    const lane = laneOf(c, hub, Number(c.req.param("number")));
    if (lane === undefined) return plain(c, 404, "No such camera");
    if (await hub.newest(lane) === undefined) return notYet(c, lane);
    const width = widthOf(c);
    return await stream(
      c,
      lane,
      MJPEG_CONTENT_TYPE,
      (signal) => mjpegOf(hub, lane.id, width, signal),
    );
  });
}

/** The camera's lane: the first one that matches `?query=` and `?topic=`. */
function laneOf(c: Context<Env>, hub: Hub, camera: number): Lane | undefined {
  const query = c.req.query("query");
  const topic = c.req.query("topic");
  return hub.feed.lanes().find((lane) =>
    lane.partition === camera - 1 && maySee(c.var.visitor, lane.partition) &&
    (query === undefined || lane.query === query) && (topic === undefined || lane.topic === topic)
  );
}

function notYet(c: Context, lane: Lane): Response {
  return plain(c, 503, `${cameraText(lane)} has not sent a frame yet`, { "retry-after": "1" });
}

/** Allows the configured origins to embed pictures. */
function embedding(c: Context, access: Access): Record<string, string> {
  return access.embedAllowed(c.req.raw) ? { "cross-origin-resource-policy": "cross-origin" } : {};
}
