// HTTP and RTSP authentication.
import { createHash, randomBytes } from "node:crypto";

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

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

/** Decodes a URL part, or returns it unchanged: people often leave a % in a password unencoded. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    return text;
  }
}

/** An authentication scheme that a server offers. */
export interface Challenge {
  /** In lower case: `digest`, `basic`. */
  readonly scheme: string;
  /** By lower-case name. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** No camera sends longer challenges. */
const MOST_CHALLENGE_LENGTH = 8 * 1024;
const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
/** An unterminated string extends to the end, so that each character is read once. */
const QUOTED = /"((?:[^"\\]|\\[\s\S])*)(?:"|\\?$)/y;
const LOOSE = /[^\s,]+/y;

/** Parses all challenges of `www-authenticate` headers; ignores headers above 8 KiB. */
export function parseChallenges(headers: readonly string[]): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  for (const text of headers.filter(({ length }) => length <= MOST_CHALLENGE_LENGTH)) {
    let at = 0;
    const next = (pattern: RegExp) => {
      pattern.lastIndex = at;
      const match = pattern.exec(text);
      if (match !== null) at = pattern.lastIndex;
      return match;
    };
    while (at < text.length) {
      next(/[\s,]+/y);
      const name = next(TOKEN)?.[0].toLowerCase();
      if (name === undefined) {
        at++;
      } else if (next(/\s*=\s*/y) === null || challenges.length === 0) {
        challenges.push({ scheme: name, parameters: new Map() });
      } else {
        const value = next(QUOTED)?.[1]?.replace(/\\([\s\S])/g, "$1") ?? next(LOOSE)?.[0] ?? "";
        challenges.at(-1)!.parameters.set(name, value);
      }
    }
  }
  return challenges;
}

const HASHES: ReadonlyMap<string, string> = new Map([
  ["MD5", "md5"],
  ["SHA-256", "sha256"],
  ["SHA-512-256", "sha512-256"],
]);

function algorithmOf({ parameters }: Challenge): string {
  return (parameters.get("algorithm") ?? "MD5").toUpperCase().replace(/-SESS$/, "");
}

/** True if the server rejects the nonce as too old, not the password (RFC 7616). */
export function isStale({ scheme, parameters }: Challenge): boolean {
  return scheme === "digest" && parameters.get("stale")?.toLowerCase() === "true";
}

/** The supported challenges, strongest first: Digest by algorithm, then Basic. */
export function answerable(challenges: readonly Challenge[]): Challenge[] {
  const order = [...HASHES.keys()];
  const strength = (challenge: Challenge) =>
    challenge.scheme === "basic"
      ? 0
      : challenge.scheme === "digest" && acceptsAuth(challenge)
      ? order.indexOf(algorithmOf(challenge)) + 1
      : -1;
  return challenges
    .filter((challenge) => challenge.scheme === "basic" || strength(challenge) > 0)
    .toSorted((a, b) => strength(b) - strength(a));
}

/** Lists challenges for the user: `Digest (SHA-256), Basic`. */
export function describeChallenges(challenges: readonly Challenge[]): string {
  const names = challenges.map((challenge) => {
    const name = challenge.scheme.charAt(0).toUpperCase() + challenge.scheme.slice(1);
    return challenge.scheme === "digest" ? `${name} (${algorithmOf(challenge)})` : name;
  });
  return [...new Set(names)].join(", ") || "none";
}

function acceptsAuth({ parameters }: Challenge): boolean {
  const qop = parameters.get("qop");
  return qop === undefined || qop.split(",").some((word) => word.trim() === "auth");
}

/**
 * The `authorization` header that answers a challenge from `answerable`.
 *
 * @param method `GET`, or an RTSP method
 * @param uri as in the request line
 */
export function authorize(
  challenge: Challenge,
  { method, uri }: { readonly method: string; readonly uri: string },
  { user, password }: Credentials,
): string {
  const { scheme, parameters } = challenge;
  if (scheme === "basic") {
    return `Basic ${new TextEncoder().encode(`${user}:${password}`).toBase64()}`;
  }
  const name = HASHES.get(algorithmOf(challenge))!;
  const hash = (text: string) => createHash(name).update(text).digest("hex");
  const [realm, nonce] = [parameters.get("realm") ?? "", parameters.get("nonce") ?? ""];
  const [algorithm, opaque] = [parameters.get("algorithm"), parameters.get("opaque")];
  const cnonce = randomBytes(8).toString("hex");
  const nc = "00000001";
  let secret = hash(`${user}:${realm}:${password}`);
  if (/-sess$/i.test(algorithm ?? "")) secret = hash(`${secret}:${nonce}:${cnonce}`);
  const request = hash(`${method}:${uri}`);
  const quoted = (text: string) => `"${text.replace(/["\\]/g, "\\$&")}"`;
  const fields = [
    `username=${quoted(user)}`,
    `realm=${quoted(realm)}`,
    `nonce=${quoted(nonce)}`,
    `uri=${quoted(uri)}`,
  ];
  if (algorithm !== undefined) fields.push(`algorithm=${algorithm}`);
  if (opaque !== undefined) fields.push(`opaque=${quoted(opaque)}`);
  if (parameters.has("qop")) {
    const response = hash([secret, nonce, nc, cnonce, "auth", request].join(":"));
    fields.push("qop=auth", `nc=${nc}`, `cnonce=${quoted(cnonce)}`, `response=${quoted(response)}`);
  } else {
    fields.push(`response=${quoted(hash(`${secret}:${nonce}:${request}`))}`);
  }
  return `Digest ${fields.join(", ")}`;
}
