// Authentication, before any route.
import type { Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { Access } from "./access.ts";
import type { Assets } from "./assets.ts";
import { asset, type Env, plain, unauthorized } from "./respond.ts";

/** Maximum size of a sign-in form, in bytes. */
const MAX_FORM_BYTES = 4_096;

/** Accepts only requests from the viewer's own pages, or from no page. */
export function guardOrigin(app: Hono<Env>, access: Access): void {
  app.use(async (c, next) => {
    if (!access.hostAllowed(c.req.raw)) {
      return plain(c, 403, "The viewer has no such host name: use http://127.0.0.1");
    }
    const { method } = c.req;
    const signsIn = method === "POST" && access.guarded;
    if (method !== "GET" && !signsIn) {
      return plain(c, 405, "Expected GET or HEAD", { allow: "GET, HEAD" });
    }
    const embedding = c.req.path.startsWith("/cam/") && access.embedAllowed(c.req.raw);
    if (isForeign(c) && !embedding) {
      return plain(c, 403, "This page is not the viewer's own");
    }
    await next();
  });
}

/** Whether another site's page fetches this; following a link from there is allowed. */
function isForeign(c: Context): boolean {
  const site = c.req.header("sec-fetch-site");
  if (site === undefined || site === "same-origin" || site === "none") return false;
  const link = c.req.header("sec-fetch-mode") === "navigate" && c.req.method !== "POST";
  return !link;
}

/** Requires a token if one is configured; later handlers always have a visitor. */
export function guardVisitors(app: Hono<Env>, access: Access, assets: Assets): void {
  const maxSize = MAX_FORM_BYTES;
  const onError = (c: Context) => plain(c, 413, "The sign-in form is too large");
  app.post("*", bodyLimit({ maxSize, onError }), async (c) => {
    if (!access.originAllowed(c.req.raw)) return plain(c, 403, "Sign in on the viewer's own page");
    const token = new URLSearchParams(await c.req.text()).get("token") ?? "";
    if (await access.visitorOfToken(token) === undefined) {
      return asset(c, assets.get("refused")!, 401);
    }
    c.header("set-cookie", access.cookie(c.req.raw, token));
    return c.redirect(here(c), 303);
  });

  app.use(async (c, next) => {
    const visitor = await access.visitor(c.req.raw);
    if (visitor === undefined) {
      if (!wantsPage(c)) return unauthorized(c);
      // A link from another site arrives without the strict cookie; a reload by the page itself has it.
      return c.req.header("sec-fetch-site") === "cross-site"
        ? c.body(null, 200, { refresh: `0; url=${here(c)}`, "cache-control": "no-store" })
        : asset(c, assets.get("login.html")!, 401);
    }
    const token = new URL(c.req.url).searchParams.get("token");
    if (access.guarded && token !== null && wantsPage(c)) {
      c.header("set-cookie", access.cookie(c.req.raw, token));
      return c.redirect(here(c), 303);
    }
    c.set("visitor", visitor);
    await next();
  });
}

/** The requested address as a path of this server, without the token. */
function here(c: Context): string {
  const url = new URL(c.req.url);
  url.searchParams.delete("token");
  // Two leading slashes would name another server.
  return url.pathname.replace(/^\/+/, "/") + url.search;
}

function wantsPage(c: Context): boolean {
  return c.req.method === "GET" && (c.req.header("accept") ?? "").includes("text/html");
}
