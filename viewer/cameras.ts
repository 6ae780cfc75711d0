// `/cam/N`, `/cam/N.jpg` and `/cam/N.mp4`: single cameras, for curl, `<img>`, `<video>` and other programs.
import type { Context, Hono } from "hono";
import { shown } from "../runtime/base/options.ts";
import type { Lane } from "../runtime/lanes.ts";
import { videoCodecOf } from "../runtime/video/access_unit.ts";
import { type Access, maySee } from "./access.ts";
import { clipOf } from "./clips.ts";
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

  /** Adds a route of one camera: of the first of its lanes that matches `?query=` and `?topic=`. */
  const ofCamera = (ending: string, answer: (c: Context<Env>, lane: Lane) => Promise<Response>) =>
    app.get(`/cam/:camera{[0-9]{1,6}${ending}}`, async (c) => {
      const partition = parseInt(c.req.param("camera")) - 1;
      const { query, topic } = c.req.query();
      const lane = hub.feed.lanes().find((lane) =>
        lane.partition === partition && maySee(c.var.visitor, partition) &&
        (query === undefined || lane.query === query) &&
        (topic === undefined || lane.topic === topic)
      );
      return lane === undefined ? plain(c, 404, "No such camera") : await answer(c, lane);
    });

  ofCamera("\\.jpg", async (c, lane) => {
    const picture = await hub.newest(lane);
    if (picture === undefined) return notYet(c, lane);
    const headers = { "cache-control": "private, no-cache", ...embedding(c, access) };
    return await image(c, hub.scaler, picture, headers);
  });

  ofCamera("\\.mp4", async (c, lane) => {
    if (history === undefined) return plain(c, 503, "This viewer has no log to read video from");
    const newest = await history.newest(lane);
    if (newest === undefined) return notYet(c, lane);
    const type = newest.headers["content-type"];
    if (videoCodecOf(type) === undefined) {
      const sent = type === undefined ? "images" : shown(type);
      const instead = `/cam/${lane.partition + 1} shows all cameras as MJPEG`;
      const only = "only H.264 and H.265 are streamed as MP4";
      return plain(c, 415, `${cameraText(lane)} sends ${sent}: ${only}, and ${instead}`);
    }
    const from = await history.units.keyframeBefore(newest);
    if (from === undefined) {
      return plain(c, 503, `${cameraText(lane)} has sent no keyframe yet`, { "retry-after": "1" });
    }
    return await stream(
      c,
      lane,
      "video/mp4",
      (signal) => clipOf(history, { lane, from, to: Infinity, signal }),
    );
  });

  ofCamera("", async (c, lane) => {
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

function notYet(c: Context, lane: Lane): Response {
  return plain(c, 503, `${cameraText(lane)} has not sent a frame yet`, { "retry-after": "1" });
}

/** Allows the configured origins to embed pictures. */
function embedding(c: Context, access: Access): Record<string, string> {
  return access.embedAllowed(c.req.raw) ? { "cross-origin-resource-policy": "cross-origin" } : {};
}
