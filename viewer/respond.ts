// Kinds of responses, and common headers.
import type { Context } from "hono";
import { accepts } from "hono/accepts";
import type { LanePicture } from "../runtime/lanes.ts";
import { maskSecrets } from "../runtime/base/mask.ts";
import type { Access, Visitor } from "./access.ts";
import type { Asset } from "./assets.ts";
import type { Scaler } from "./scaler.ts";

export interface Env {
  Variables: { visitor: Visitor };
}

export function plain(
  c: Context,
  status: 200 | 400 | 401 | 403 | 404 | 405 | 413 | 415 | 426 | 500 | 503,
  text: string,
  headers: Record<string, string> = {},
): Response {
  return c.body(`${text}\n`, status, {
    "content-type": "text/plain; charset=utf-8",
    "cache-control": "no-store",
    ...headers,
  });
}

/** A JSON response with secrets masked, since queries' texts may quote their configuration. */
export function json(c: Context, value: unknown, status: 200 | 400 | 404 | 503 = 200): Response {
  const text = JSON.stringify(
    value,
    (_, each) => typeof each === "string" ? maskSecrets(each) : each,
  );
  return c.body(text, status, { "content-type": "application/json", "cache-control": "no-store" });
}

export function problem(c: Context, status: 400 | 404 | 503, message: string): Response {
  return json(c, { error: message }, status);
}

export function busy(c: Context): Response {
  return plain(c, 503, "Too many viewers at the moment", { "retry-after": "5" });
}

/** Requests a token from a program. */
export function unauthorized(c: Context): Response {
  return plain(c, 401, "A token is needed: Authorization: Bearer TOKEN", {
    "www-authenticate": 'Bearer realm="Framelane"',
  });
}

/** Whether the client has this version already; proxies that compress make its tag weak. */
function isKnown(c: Context, etag: string): boolean {
  const known = c.req.header("if-none-match") ?? "";
  return known.trim() === "*" || known.includes(etag);
}

export function asset(
  c: Context,
  { body, gzip, contentType, etag }: Asset,
  status: 200 | 401 | 404 = 200,
): Response {
  const headers = {
    "content-type": contentType,
    "cache-control": status === 200 ? "no-cache" : "no-store",
    vary: "accept-encoding, cookie",
    etag,
  };
  if (status === 200 && isKnown(c, etag)) return c.body(null, 304, headers);
  const supports = ["gzip", "identity"];
  return accepts(c, { header: "Accept-Encoding", supports, default: "identity" }) === "gzip"
    ? c.body(gzip, status, { ...headers, "content-encoding": "gzip" })
    : c.body(body, status, headers);
}

/** A picture with caching headers. */
export async function image(
  c: Context,
  scaler: Scaler,
  picture: LanePicture,
  headers: Record<string, string>,
): Promise<Response> {
  const width = widthOf(c);
  const etag = `"${picture.lane}-${picture.offset}-${picture.timestamp}-${width}"`;
  const common = { etag, vary: "cookie, authorization", ...headers };
  if (isKnown(c, etag)) return c.body(null, 304, common);
  const scaled = await scaler.scaled(picture, width);
  return c.body(scaled.bytes as Uint8Array<ArrayBuffer>, 200, {
    ...common,
    "content-type": scaled.contentType,
    "x-framelane-offset": String(picture.offset),
    "x-framelane-timestamp": String(picture.timestamp),
  });
}

/** The requested width in pixels; 0 for the original size. */
export function widthOf(c: Context): number {
  const [width = 0] = numbersOf(c, "width");
  return width <= 10_000 ? width : 0;
}

/** Whole numbers of a request; undefined for one that is missing or invalid. */
export function numbersOf(c: Context, ...names: readonly string[]): (number | undefined)[] {
  return names.map((name) => {
    const text = c.req.query(name) ?? "";
    return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
  });
}

/** Sets security headers on every response: only the viewer's own pages may use it. */
export function secure(c: Context, access: Access): void {
  const { headers } = c.res;
  const { embedOrigins } = access;
  const ancestors = embedOrigins.length === 0 ? "'none'" : `'self' ${embedOrigins.join(" ")}`;
  headers.set(
    "content-security-policy",
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; " +
      "media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; " +
      `frame-ancestors ${ancestors}; require-trusted-types-for 'script'; trusted-types decoder`,
  );
  headers.set("x-content-type-options", "nosniff");
  // Not "no-referrer": browsers would then sign in with the origin "null".
  headers.set("referrer-policy", "same-origin");
  headers.set("cross-origin-opener-policy", "same-origin");
  if (!headers.has("cross-origin-resource-policy")) {
    headers.set("cross-origin-resource-policy", "same-origin");
  }
  if (embedOrigins.length === 0) headers.set("x-frame-options", "DENY");
  headers.set("permissions-policy", "camera=(), microphone=(), geolocation=(), fullscreen=(self)");
}
