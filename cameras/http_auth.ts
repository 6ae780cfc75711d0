/**
 * Answers a server's demand for a user name and a password.
 *
 * @module
 */
import { createHash, randomBytes } from "node:crypto";

/** Whose name and password. */
export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** Takes the credentials out of a URL. */
export function splitCredentials(url: string): { url: string; credentials?: Credentials } {
  const parsed = new URL(url);
  if (parsed.username === "" && parsed.password === "") return { url };
  const credentials = {
    user: decoded(parsed.username),
    password: decoded(parsed.password),
  };
  parsed.username = parsed.password = "";
  return { url: parsed.href, credentials };
}

/** A per cent sign that encodes nothing stands for itself: few people encode the one in a password. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    return text;
  }
}

/**
 * The `authorization` header for a `www-authenticate` challenge: Digest (MD5 or SHA-256) where the
 * server knows it, else Basic.
 *
 * @param path path and query of the request
 * @returns undefined when the server wants something else.
 */
export function authorize(
  challenge: string,
  path: string,
  credentials: Credentials,
): string | undefined {
  const digest = /(?:^|,\s*)digest\s+(.*)/is.exec(challenge)?.[1];
  if (digest !== undefined) return digestOf(parameters(digest), path, credentials);
  if (/(?:^|,\s*)basic\b/i.test(challenge)) {
    const bytes = new TextEncoder().encode(`${credentials.user}:${credentials.password}`);
    return `Basic ${btoa(String.fromCharCode(...bytes))}`;
  }
  return undefined;
}

function digestOf(
  { realm = "", nonce = "", qop, opaque, algorithm = "MD5" }: Record<string, string>,
  path: string,
  { user, password }: Credentials,
): string | undefined {
  const names: Record<string, string> = { "MD5": "md5", "SHA-256": "sha256" };
  const name = names[algorithm.toUpperCase().replace(/-SESS$/, "")];
  if (name === undefined) return undefined;
  const hash = (text: string) => createHash(name).update(text).digest("hex");
  const cnonce = randomBytes(8).toString("hex");
  const nc = "00000001";
  let secret = hash(`${user}:${realm}:${password}`);
  if (/-sess$/i.test(algorithm)) secret = hash(`${secret}:${nonce}:${cnonce}`);
  const request = hash(`GET:${path}`);
  const quoted = (text: string) => `"${text.replace(/["\\]/g, "\\$&")}"`;
  const fields = [
    `username=${quoted(user)}`,
    `realm=${quoted(realm)}`,
    `nonce=${quoted(nonce)}`,
    `uri=${quoted(path)}`,
    `algorithm=${algorithm}`,
  ];
  if (opaque !== undefined) fields.push(`opaque=${quoted(opaque)}`);
  if (qop?.split(",").some((word) => word.trim() === "auth")) {
    const response = hash([secret, nonce, nc, cnonce, "auth", request].join(":"));
    fields.push("qop=auth", `nc=${nc}`, `cnonce=${quoted(cnonce)}`, `response=${quoted(response)}`);
  } else if (qop === undefined) {
    fields.push(`response=${quoted(hash(`${secret}:${nonce}:${request}`))}`);
  } else {
    return undefined;
  }
  return `Digest ${fields.join(", ")}`;
}

function parameters(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const match of text.matchAll(/([a-z-]+)\s*=\s*(?:"((?:\\.|[^"\\])*)"|([^\s,"]+))/gi)) {
    found[match[1]!.toLowerCase()] = match[2]?.replace(/\\(.)/g, "$1") ?? match[3]!;
  }
  return found;
}
