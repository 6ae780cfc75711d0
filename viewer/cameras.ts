/**
 * `/cam/N` and `/cam/N.jpg`: cameras one by one, for curl, `<img>` and other programs.
 *
 * @module
 */
import type { Context, Hono } from "hono";
import type { Lane } from "../runtime/lanes.ts";
import { type Access, maySee } from "./access.ts";
import type { Connections } from "./connections.ts";
import type { Hub } from "./hub.ts";
import { cameraText } from "./protocol.ts";
import { MJPEG_CONTENT_TYPE, mjpegStream } from "./mjpeg.ts";
import { busy, type Env, image, plain, widthOf } from "./respond.ts";

/** What the routes serve from. */
export interface CameraOptions {
  readonly hub: Hub;
  readonly access: Access;
  readonly connections: Connections;
  readonly signal: AbortSignal;
}

/** Adds the routes. */
export function cameraRoutes(
  app: Hono<Env>,
  { hub, access, connections, signal }: CameraOptions,
): void {
  app.get("/cam/:file{[0-9]{1,6}\\.jpg}", async (c) => {
    const lane = laneOf(c, hub, parseInt(c.req.param("file")));
    if (lane === undefined) return plain(c, 404, "There is no such camera");
    const picture = await hub.newest(lane);
    if (picture === undefined) return notYet(c, lane);
    const headers = { "cache-control": "private, no-cache", ...embedding(c, access) };
    return await image(c, hub.scaler, picture, headers);
  });

  app.get("/cam/:number{[0-9]{1,6}}", async (c) => {
    const lane = laneOf(c, hub, Number(c.req.param("number")));
    if (lane === undefined) return plain(c, 404, "There is no such camera");
    if (await hub.newest(lane) === undefined) return notYet(c, lane);
    const headers = {
      "content-type": MJPEG_CONTENT_TYPE,
      "cache-control": "no-store",
      ...embedding(c, access),
    };
    if (c.req.method === "HEAD") return c.body(new Blob([]).stream(), 200, headers);
    const leave = connections.enter();
    if (leave === undefined) return busy(c);
    return c.body(
      mjpegStream(hub, lane.id, { width: widthOf(c), signal, onEnd: leave }),
      200,
      headers,
    );
  });
}

/** The camera's lane; of several queries the first, unless `?query=` and `?topic=` say which. */
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

/** Pictures may be shown by the pages that the owner named. */
function embedding(c: Context, access: Access): Record<string, string> {
  return access.embedAllowed(c.req.raw) ? { "cross-origin-resource-policy": "cross-origin" } : {};
}
