// The routes and middleware.
import { Hono } from "hono";
import { LogError } from "../runtime/log/log.ts";
import { maskSecrets } from "../runtime/base/mask.ts";
import { apiRoutes } from "./api.ts";
import type { Assets } from "./assets.ts";
import { cameraRoutes } from "./cameras.ts";
import { Connections } from "./connections.ts";
import { MAX_TILES } from "./protocol.ts";
import { asset, type Env, plain, secure, unauthorized } from "./respond.ts";
import { guardOrigin, guardVisitors } from "./sign_in.ts";
import { socketRoute } from "./socket.ts";
import type { Surroundings } from "./surroundings.ts";

/** The number of a camera, from 1 up. */
const CAMERA = /^ *0*[1-9]\d{0,5} *$/;

export interface AppOptions extends Omit<Surroundings, "connections"> {
  readonly assets: Assets;
  readonly metrics: () => Promise<string>;
  readonly ready: () => Promise<Readiness>;
}

/** Whether frames flow, without details, since anyone may ask. */
export interface Readiness {
  readonly ready: boolean;
  readonly text: string;
}

/** Makes the handler of all requests. */
export function createApp(options: AppOptions): (request: Request) => Promise<Response> {
  const { hub, access, assets, metrics, ready, report } = options;
  const app = new Hono<Env>();
  const surroundings: Surroundings = { ...options, connections: new Connections() };

  app.use(async (c, next) => {
    await next();
    secure(c, access);
  });
  guardOrigin(app, access);

  app.get("/healthz", (c) => plain(c, 200, "ok"));
  app.get("/readyz", async (c) => {
    const { ready: isReady, text } = await ready();
    return plain(c, isReady ? 200 : 503, text);
  });
  app.get("/assets/*", (c) => {
    const file = assets.get(c.req.path);
    return file === undefined ? plain(c, 404, "No such file") : asset(c, file);
  });
  app.get("/metrics", async (c) => {
    if (!await access.mayReadMetrics(c.req.raw)) return unauthorized(c);
    return c.body(await metrics(), 200, {
      "content-type": "text/plain; version=0.0.4; charset=utf-8",
      "cache-control": "no-store",
    });
  });

  guardVisitors(app, access, assets);

  app.get("/", (c) => asset(c, assets.get("index.html")!));
  app.get("/cameras/:list", (c) => {
    const cameras = c.req.param("list").split(",");
    const isList = cameras.length <= MAX_TILES && cameras.every((one) => CAMERA.test(one));
    return isList ? asset(c, assets.get("index.html")!) : c.notFound();
  });
  app.get("/queries/:lane", (c) => {
    const known = hub.lane(c.req.param("lane"), c.var.visitor) !== undefined;
    return asset(c, assets.get("query.html")!, known ? 200 : 404);
  });
  apiRoutes(app, surroundings);
  cameraRoutes(app, surroundings);
  socketRoute(app, surroundings);

  app.notFound((c) => plain(c, 404, "Not found"));
  app.onError((error, c) => {
    if (error instanceof LogError) {
      // The wall and the queries report it already.
      const problem = error.retryable ? "The log is unreachable" : maskSecrets(error.message);
      return plain(c, 503, problem, { "retry-after": "2" });
    }
    report(maskSecrets(`Viewer: ${c.req.method} ${c.req.path}: ${error.message}`));
    return plain(c, 500, "Internal error in the viewer");
  });
  return async (request) => {
    if (request.method !== "HEAD") return await app.fetch(request);
    // The server sends the headers of GET, with its length, and no body. A stream would stay open.
    const response = await app.fetch(new Request(request.url, { headers: request.headers }));
    if (!/^(?:multipart|video)\//.test(response.headers.get("content-type") ?? "")) return response;
    await response.body?.cancel();
    return new Response(new Blob([]).stream(), response);
  };
}
