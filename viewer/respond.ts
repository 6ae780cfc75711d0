// Kinds of responses, and common headers.
import type { Context } from "hono";
import type { LanePicture } from "../runtime/lanes.ts";
import { maskSecrets } from "../runtime/base/mask.ts";
import type { Access, Visitor } from "./access.ts";
import type { Asset } from "./assets.ts";
import type { Scaler } from "./scaler.ts";

/** Variables of a request. */
export interface Env {
  Variables: { visitor: Visitor };
}

/** A plain text response. */
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

/** A JSON error. */
export function problem(c: Context, status: 400 | 404 | 503, message: string): Response {
  return json(c, { error: message }, status);
}

/** Rejects a request for lack of capacity. */
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

/** Whether `Accept-Encoding` allows gzip: by its name or by `*`, unless its weight is 0 (RFC 9110). */
function acceptsGzip(header: string): boolean {
  const weights = new Map(
    header.toLowerCase().split(",").map((coding) => {
      const [name = "", ...parameters] = coding.split(";").map((part) => part.trim());
      return [name, Number(parameters.find((one) => one.startsWith("q="))?.slice(2) ?? 1)];
    }),
  );
  return (weights.get("gzip") ?? weights.get("x-gzip") ?? weights.get("*") ?? 0) > 0;
}

/** A file of the page. */
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
  return acceptsGzip(c.req.header("accept-encoding") ?? "")
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
    "last-modified": new Date(picture.timestamp).toUTCString(),
    "x-framelane-offset": String(picture.offset),
    "x-framelane-timestamp": String(picture.timestamp),
  });
}

/** The requested width in pixels; 0 for the original size. */
export function widthOf(c: Context): number {
  const width = wholeNumber(c.req.query("width")) ?? 0;
  return width <= 10_000 ? width : 0;
}

/** Parses a number of a request; undefined if it is invalid. */
export function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
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

/**
 * A stream that has its first bytes; undefined if it is empty because no frame could be shown. Calls `then`
 * once the stream has ended, failed or was cancelled, however early.
 */
export async function begun(
  open: () => Promise<Uint8Array | ReadableStream<Uint8Array>>,
  then: () => void,
): Promise<ReadableStream<Uint8Array> | undefined> {
  try {
    const body = await open();
    const stream = body instanceof Uint8Array ? new Blob([body.slice()]).stream() : body;
    const reader: ReadableStreamDefaultReader<Uint8Array> = stream.getReader();
    let next: ReadableStreamReadResult<Uint8Array> | undefined = await reader.read();
    if (next.done) then();
    return next.done ? undefined : new ReadableStream<Uint8Array>({
      async pull(controller) {
        try {
          const { done, value } = next ?? await reader.read();
          next = undefined;
          if (!done) return controller.enqueue(value);
          then();
          controller.close();
        } catch (error) {
          then();
          throw error;
        }
      },
      async cancel(reason) {
        then();
        await reader.cancel(reason);
      },
    }, { highWaterMark: 0 });
  } catch (error) {
    then();
    throw error;
  }
}
