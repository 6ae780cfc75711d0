/**
 * The routes.
 *
 * @module
 */
import { type Context, Hono } from "hono";
import type { Lane, LanePicture } from "../runtime/lanes.ts";
import { maskSecrets } from "../runtime/mask.ts";
import { type Access, maySee, type Visitor } from "./access.ts";
import type { AlertBook } from "./alerts.ts";
import type { Asset, Assets } from "./assets.ts";
import type { History } from "./history.ts";
import type { Hub } from "./hub.ts";
import { MJPEG_CONTENT_TYPE, mjpegStream } from "./mjpeg.ts";
import type { Features } from "./protocol.ts";
import { Session } from "./session.ts";

/** What the routes serve. */
export interface AppOptions {
  readonly hub: Hub;
  readonly access: Access;
  readonly assets: Assets;
  readonly metrics: () => Promise<string>;
  readonly features: Features;
  readonly alerts: AlertBook;
  /** Absent when there is no log to look back into. */
  readonly history?: History | undefined;
  readonly clips?: ClipProvider | undefined;
  /** Aborts when the viewer stops: ends streams and sockets. */
  readonly signal: AbortSignal;
}

/** What goes into a clip. */
export interface ClipRequest {
  readonly lane: Lane;
  /** First and last offset, both included. */
  readonly from: number;
  readonly to: number;
  readonly signal: AbortSignal;
}

/** Makes an MP4 of frames that the log holds. */
export type ClipProvider = (
  request: ClipRequest,
) => Promise<Uint8Array | ReadableStream<Uint8Array>>;

type Env = { Variables: { visitor: Visitor } };

/** Most streams and sockets at the same time; more are asked to come back later. */
const MAX_CONNECTIONS = 1_024;

/** Five minutes at 30 frames a second. */
const MAX_CLIP_FRAMES = 9_000;

/** Builds the app. */
export function createApp(options: AppOptions): Hono<Env> {
  const { hub, access, assets, metrics, features, alerts, history, clips, signal } = options;
  const app = new Hono<Env>();
  const streams = { open: 0 };

  app.use(async (c, next) => {
    if (!access.hostAllowed(c.req.raw)) {
      return plain(c, 403, "This name is not one of the viewer's. Use http://127.0.0.1");
    }
    await next();
    secure(c, access);
  });

  app.get("/healthz", (c) => plain(c, 200, "ok"));

  app.get("/assets/*", (c) => {
    const asset = assets.files.get(c.req.path.slice("/assets/".length));
    return asset === undefined ? plain(c, 404, "No such file") : serve(c, asset);
  });

  app.get("/metrics", async (c) => {
    if (!await access.mayReadMetrics(c.req.raw)) return unauthorized(c);
    return c.body(await metrics(), 200, {
      "content-type": "text/plain; version=0.0.4; charset=utf-8",
      "cache-control": "no-store",
    });
  });

  app.post("/login", async (c) => {
    if (!access.originAllowed(c.req.raw)) return plain(c, 403, "Sign in on the viewer's own page");
    const body = await c.req.text();
    const form = new URLSearchParams(body.slice(0, 4096));
    const token = form.get("token") ?? "";
    if (await access.visitorOfToken(token) === undefined) return serve(c, assets.login, 401);
    c.header("set-cookie", await access.cookie(c.req.raw, token));
    return c.redirect(localPath(form.get("to")), 303);
  });

  app.use(async (c, next) => {
    const visitor = await access.visitor(c.req.raw);
    if (visitor === undefined) {
      if (!wantsPage(c)) return unauthorized(c);
      // A link from elsewhere comes without the strict cookie; the page's own reload has it.
      if (c.req.header("sec-fetch-site") === "cross-site") return bounce(c);
      return serve(c, assets.login, 401);
    }
    const url = new URL(c.req.url);
    const token = url.searchParams.get("token");
    if (access.guarded && token !== null && wantsPage(c)) {
      url.searchParams.delete("token");
      c.header("set-cookie", await access.cookie(c.req.raw, token));
      return c.redirect(url.pathname + url.search, 303);
    }
    c.set("visitor", visitor);
    await next();
  });

  app.get("/", (c) => serve(c, assets.page));
  app.get("/cameras/:list{[0-9]+(,[0-9]+)*}", (c) => serve(c, assets.page));
  app.get("/queries/:lane", (c) => {
    const known = hub.lane(c.req.param("lane"), c.var.visitor) !== undefined;
    return serve(c, assets.page, known ? 200 : 404);
  });

  app.get("/api/lanes", (c) => json(c, hub.lanes(c.var.visitor)));
  app.get("/api/queries", (c) => {
    const { visitor } = c.var;
    return json(c, hub.feed.progress().filter((each) => maySee(visitor, each.partition)));
  });
  app.get("/api/queries/:lane", (c) => {
    const lane = hub.lane(c.req.param("lane"), c.var.visitor);
    if (lane === undefined) return problem(c, 404, "There is no such lane");
    const view = hub.lanes(c.var.visitor).find(({ id }) => id === lane.id) ?? lane;
    return json(c, { lane: view, now: hub.clock.now(), ...hub.feed.history(lane.id) });
  });

  app.get("/cam/:file{[0-9]+\\.jpg}", async (c) => {
    const lane = laneOfCamera(c, hub, parseInt(c.req.param("file")));
    if (lane === undefined) return plain(c, 404, "There is no such camera");
    const picture = await hub.newest(lane);
    if (picture === undefined) return notYet(c, lane);
    return sendPicture(c, options, picture, "private, no-cache");
  });

  app.get("/cam/:number{[0-9]+}", async (c) => {
    const lane = laneOfCamera(c, hub, Number(c.req.param("number")));
    if (lane === undefined) return plain(c, 404, "There is no such camera");
    if (await hub.newest(lane) === undefined) return notYet(c, lane);
    const headers = {
      "content-type": MJPEG_CONTENT_TYPE,
      "cache-control": "no-store",
      ...embedding(c, access),
    };
    if (c.req.method === "HEAD") return c.body(new Blob([]).stream(), 200, headers);
    if (streams.open >= MAX_CONNECTIONS) return busy(c);
    streams.open++;
    const body = mjpegStream(hub, lane.id, {
      width: widthOf(c),
      signal,
      onEnd: () => streams.open--,
    });
    return c.body(body, 200, headers);
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
    const lane = hub.lane(c.req.query("lane") ?? "", c.var.visitor);
    if (lane === undefined) return problem(c, 404, "There is no such lane");
    if (history === undefined) return problem(c, 503, "This viewer has no log to look back into");
    return json(c, await history.range(lane));
  });

  app.get("/api/frame", async (c) => {
    const lane = hub.lane(c.req.query("lane") ?? "", c.var.visitor);
    if (lane === undefined) return problem(c, 404, "There is no such lane");
    if (history === undefined) return problem(c, 503, "This viewer has no log to look back into");
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
    return sendPicture(c, options, picture, "private, max-age=300");
  });

  app.get("/api/clip.mp4", async (c) => {
    const lane = hub.lane(c.req.query("lane") ?? "", c.var.visitor);
    if (lane === undefined) return problem(c, 404, "There is no such lane");
    if (clips === undefined) return problem(c, 503, "This viewer makes no clips");
    const from = wholeNumber(c.req.query("from"));
    const to = wholeNumber(c.req.query("to"));
    if (from === undefined || to === undefined || to < from || to - from > MAX_CLIP_FRAMES) {
      return problem(
        c,
        400,
        `Expected from=OFFSET and to=OFFSET, at most ${MAX_CLIP_FRAMES} frames apart`,
      );
    }
    const stopped = AbortSignal.any([signal, c.req.raw.signal]);
    const body = await clips({ lane, from, to, signal: stopped });
    return c.body(body as Uint8Array<ArrayBuffer> | ReadableStream, 200, {
      "content-type": "video/mp4",
      "content-disposition": `attachment; filename="camera-${
        lane.partition + 1
      }-${from}-${to}.mp4"`,
      "cache-control": "no-store",
    });
  });

  app.get("/ws", (c) => {
    if (!access.originAllowed(c.req.raw)) return plain(c, 403, "This page is not the viewer's own");
    if (c.req.header("upgrade")?.toLowerCase() !== "websocket") {
      return plain(c, 426, "Expected a WebSocket", { upgrade: "websocket" });
    }
    if (streams.open >= MAX_CONNECTIONS) return busy(c);
    const { visitor } = c.var;
    const { socket, response } = Deno.upgradeWebSocket(c.req.raw, { idleTimeout: 30 });
    let session: Session | undefined;
    streams.open++;
    const stopped = () => socket.close(1001, "The viewer stops");
    const ended = () => {
      if (session !== undefined) streams.open--;
      session?.close();
      session = undefined;
      signal.removeEventListener("abort", stopped);
    };
    socket.onopen = () => {
      session = new Session({ hub, socket, visitor, features, alerts, history });
      signal.addEventListener("abort", stopped);
      if (signal.aborted) stopped();
    };
    socket.onmessage = ({ data }) => session?.receive(data);
    socket.onclose = ended;
    // A broken connection is followed by `close`; there is nobody left to tell.
    socket.onerror = ended;
    return response;
  });

  app.notFound((c) => plain(c, 404, "There is nothing here"));
  app.onError((_error, c) => plain(c, 500, "The viewer could not do this"));
  return app;
}

function laneOfCamera(c: Context<Env>, hub: Hub, camera: number): Lane | undefined {
  const query = c.req.query("query");
  const topic = c.req.query("topic");
  return hub.feed.lanes().find((lane) =>
    lane.partition === camera - 1 && maySee(c.var.visitor, lane.partition) &&
    (query === undefined || lane.query === query) && (topic === undefined || lane.topic === topic)
  );
}

/** A picture with what caches need to know. */
async function sendPicture(
  c: Context<Env>,
  { hub, access }: AppOptions,
  picture: LanePicture,
  cacheControl: string,
) {
  const width = widthOf(c);
  const headers = {
    etag: `"${picture.lane}-${picture.offset}-${picture.timestamp}-${width}"`,
    "cache-control": cacheControl,
    vary: "cookie, authorization",
    ...embedding(c, access),
  };
  if (c.req.header("if-none-match") === headers.etag) return c.body(null, 304, headers);
  const scaled = await hub.scaler.scaled(picture, width);
  return c.body(scaled.bytes as Uint8Array<ArrayBuffer>, 200, {
    ...headers,
    "content-type": scaled.contentType,
    "last-modified": new Date(picture.timestamp).toUTCString(),
    "x-framelane-offset": String(scaled.picture.offset),
    "x-framelane-timestamp": String(scaled.picture.timestamp),
  });
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function widthOf(c: Context): number {
  const width = Number(c.req.query("width") ?? 0);
  return Number.isInteger(width) && width > 0 && width <= 10_000 ? width : 0;
}

function plain(
  c: Context,
  status: 200 | 401 | 403 | 404 | 426 | 500 | 503,
  text: string,
  headers = {},
) {
  return c.body(`${text}\n`, status, {
    "content-type": "text/plain; charset=utf-8",
    "cache-control": "no-store",
    ...headers,
  });
}

/** Values from queries may quote what they were configured with: no secret in it gets out. */
function json(c: Context, value: unknown) {
  const text = JSON.stringify(
    value,
    (_, each) => typeof each === "string" ? maskSecrets(each) : each,
  );
  return c.body(text, 200, { "content-type": "application/json", "cache-control": "no-store" });
}

function problem(c: Context, status: 400 | 404 | 410 | 503, message: string) {
  return c.json({ error: message }, status, { "cache-control": "no-store" });
}

function notYet(c: Context, lane: Lane) {
  return plain(c, 503, `${lane.camera} has not sent a frame yet`, { "retry-after": "1" });
}

function busy(c: Context) {
  return plain(c, 503, "Too many viewers at the moment", { "retry-after": "5" });
}

function unauthorized(c: Context) {
  return plain(c, 401, "A token is needed: Authorization: Bearer TOKEN", {
    "www-authenticate": 'Bearer realm="Framelane"',
  });
}

/** Sends the browser to the same address once more, now as a request of our own page. */
function bounce(c: Context) {
  const url = new URL(c.req.url);
  return c.body(null, 401, {
    refresh: `0; url=${url.pathname}${url.search}`,
    "cache-control": "no-store",
  });
}

function wantsPage(c: Context): boolean {
  return (c.req.method === "GET" || c.req.method === "HEAD") &&
    (c.req.header("accept") ?? "").includes("text/html");
}

/** A path on this server, whatever was asked for. */
function localPath(to: string | null): string {
  return to !== null && /^\/(?![/\\])[\x21-\x7e]*$/.test(to) ? to : "/";
}

function serve(c: Context, asset: Asset, status: 200 | 401 | 404 = 200): Response {
  const headers = {
    "content-type": asset.contentType,
    "cache-control": status === 200 ? "no-cache" : "no-store",
    vary: "accept-encoding, cookie",
    etag: asset.etag,
  };
  if (status === 200 && c.req.header("if-none-match") === asset.etag) {
    return c.body(null, 304, headers);
  }
  const gzip = /\bgzip\b/.test(c.req.header("accept-encoding") ?? "");
  return c.body(gzip ? asset.gzip : asset.body, status, {
    ...headers,
    ...(gzip ? { "content-encoding": "gzip" } : {}),
  });
}

/** Pictures may be shown by the pages that the owner named. */
function embedding(c: Context, access: Access): Record<string, string> {
  return access.embedAllowed(c.req.raw) ? { "cross-origin-resource-policy": "cross-origin" } : {};
}

function secure(c: Context, access: Access): void {
  const headers = c.res.headers;
  const ancestors = access.embedOrigins.length === 0 ? "'none'" : access.embedOrigins.join(" ");
  headers.set(
    "content-security-policy",
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; " +
      "media-src 'self' blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; " +
      `frame-ancestors ${ancestors}; require-trusted-types-for 'script'; trusted-types 'none'`,
  );
  headers.set("x-content-type-options", "nosniff");
  headers.set("referrer-policy", "no-referrer");
  headers.set("cross-origin-opener-policy", "same-origin");
  if (!headers.has("cross-origin-resource-policy")) {
    headers.set("cross-origin-resource-policy", "same-origin");
  }
  if (access.embedOrigins.length === 0) headers.set("x-frame-options", "DENY");
  headers.set(
    "permissions-policy",
    "camera=(), microphone=(), geolocation=(), fullscreen=(self)",
  );
}
