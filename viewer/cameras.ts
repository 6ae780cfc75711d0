// `/cam/N`, `/cam/N.jpg` and `/cam/N.mp4`: single cameras, for curl, `<img>`, `<video>` and other programs.
import type { Context, Hono } from "hono";
import type { Lane } from "../runtime/lanes.ts";
import { videoCodecOf } from "../runtime/video/access_unit.ts";
import { type Access, maySee } from "./access.ts";
import { liveVideo } from "./clips.ts";
import type { Hub } from "./hub.ts";
import { cameraText } from "./protocol.ts";
import { MJPEG_CONTENT_TYPE, mjpegStream } from "./mjpeg.ts";
import { begun, busy, type Env, image, plain, widthOf } from "./respond.ts";
import type { Surroundings } from "./surroundings.ts";

export function cameraRoutes(
  app: Hono<Env>,
  { hub, access, connections, history, signal }: Surroundings,
): void {
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
    const { "content-type": type = "images" } = newest.headers;
    if (videoCodecOf(type) === undefined) {
      return plain(
        c,
        415,
        `${cameraText(lane)} sends ${type}: only H.264 and H.265 are streamed as MP4, and /cam/${
          lane.partition + 1
        } shows all cameras as MJPEG`,
      );
    }
    const from = await history.keyframeBefore(newest);
    if (from === undefined) {
      return plain(c, 503, `${cameraText(lane)} has sent no keyframe yet`, { "retry-after": "1" });
    }
    const headers = {
      "content-type": "video/mp4",
      "cache-control": "no-store",
      ...embedding(c, access),
    };
    const leave = connections.enter();
    if (leave === undefined) return busy(c);
    const stream = await begun(() => liveVideo(history, { lane, from, signal }), leave);
    return stream === undefined ? notYet(c, lane) : c.body(stream, 200, headers);
  });

  app.get("/cam/:number{[0-9]{1,6}}", async (c) => {
    const lane = laneOf(c, hub, Number(c.req.param("number")));
    if (lane === undefined) return plain(c, 404, "No such camera");
    if (await hub.newest(lane) === undefined) return notYet(c, lane);
    const headers = {
      "content-type": MJPEG_CONTENT_TYPE,
      "cache-control": "no-store",
      ...embedding(c, access),
    };
    const leave = connections.enter();
    if (leave === undefined) return busy(c);
    return c.body(
      mjpegStream(hub, lane.id, { width: widthOf(c), signal, onEnd: leave }),
      200,
      headers,
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
