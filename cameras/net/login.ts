// HTTP and RTSP authentication.
import { Buffer } from "node:buffer";
import { createHash, randomBytes } from "node:crypto";
import { SourceError } from "../source.ts";

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
  } catch {
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

function algorithmOf(challenge: Challenge | undefined): string {
  return (challenge?.parameters.get("algorithm") ?? "MD5").toUpperCase().replace(/-SESS$/, "");
}

/** True if the server rejects the nonce as too old, not the password (RFC 7616). */
function isStale({ scheme, parameters }: Challenge): boolean {
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
  const qop = parameters.get("qop") ?? "";
  return qop === "" || qop.split(",").some((word) => word.trim() === "auth");
}

/**
 * The `authorization` header that answers a challenge from `answerable`.
 *
 * @param method `GET`, or an RTSP method
 * @param uri as in the request line
 * @param uses how often the challenge's nonce has been used, with this time
 */
export function authorize(
  challenge: Challenge,
  { method, uri }: { readonly method: string; readonly uri: string },
  credentials: Credentials,
  uses = 1,
): string {
  const { scheme, parameters } = challenge;
  // As in a `Head`: the realm's bytes may be in any encoding.
  const [user, password] = [credentials.user, credentials.password]
    .map((text) => Buffer.from(text).toString("latin1")) as [string, string];
  if (scheme === "basic") return `Basic ${btoa(`${user}:${password}`)}`;
  const name = HASHES.get(algorithmOf(challenge))!;
  const hash = (text: string) => createHash(name).update(text, "latin1").digest("hex");
  const [realm, nonce] = [parameters.get("realm") ?? "", parameters.get("nonce") ?? ""];
  const [algorithm, opaque] = [parameters.get("algorithm"), parameters.get("opaque")];
  const cnonce = randomBytes(8).toString("hex");
  const nc = uses.toString(16).padStart(8, "0");
  let secret = hash(`${user}:${realm}:${password}`);
  const session = /-sess$/i.test(algorithm ?? "");
  if (session) secret = hash(`${secret}:${nonce}:${cnonce}`);
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
  const qop = (parameters.get("qop") ?? "") !== "";
  if (qop || session) fields.push(`cnonce=${quoted(cnonce)}`);
  if (qop) fields.push("qop=auth", `nc=${nc}`);
  const proof = [secret, nonce, ...(qop ? [nc, cnonce, "auth"] : []), request];
  fields.push(`response=${quoted(hash(proof.join(":")))}`);
  return `Digest ${fields.join(", ")}`;
}

/**
 * Logs in to one server. A request gets one attempt, since more could lock the account: two after
 * the rarely supported SHA-512-256, and another if the server calls its nonce too old.
 */
export class Login {
  readonly #credentials: Credentials | undefined;
  readonly #onOffer: ((offered: string) => void) | undefined;
  #challenge: Challenge | undefined;
  #uses = 0;
  /** The challenges that the current request may still answer; undefined before it was refused. */
  #left: Challenge[] | undefined;
  #renewed = false;
  #offered: readonly Challenge[] = [];

  /** @param onOffer called with the logins that the server supports: `Digest (MD5), Basic` */
  constructor(credentials: Credentials | undefined, onOffer?: (offered: string) => void) {
    this.#credentials = credentials;
    this.#onOffer = onOffer;
  }

  /** Begins another request. */
  begin(): void {
    this.#left = undefined;
    this.#renewed = false;
  }

  /** The header line of a login; none before the server requested one. */
  lines(request: { readonly method: string; readonly uri: string }): string[] {
    if (this.#challenge === undefined || this.#credentials === undefined) return [];
    const text = authorize(this.#challenge, request, this.#credentials, ++this.#uses);
    return [`Authorization: ${text}`];
  }

  /**
   * Takes an answer of 401 or 403: afterwards the request can be sent again with other `lines`.
   *
   * @param headers the values of `www-authenticate`
   * @throws {SourceError} `UNAUTHORIZED` if that is hopeless.
   */
  refused(headers: readonly string[]): void {
    const offered = parseChallenges(headers);
    const known = answerable(offered);
    if (offered.length > 0) {
      this.#offered = offered;
      this.#onOffer?.(describeChallenges(offered));
    }
    if (this.#left === undefined) {
      const rare = algorithmOf(known[0]).startsWith("SHA-512");
      this.#left = known.slice(0, rare && known[1]?.scheme === "digest" ? 2 : 1);
    } else if (!this.#renewed) {
      const stale = known.find(isStale);
      this.#renewed = stale !== undefined;
      if (stale !== undefined) this.#left.unshift(stale);
    }
    const next = this.#credentials && this.#left.shift();
    if (next === undefined) throw new SourceError("UNAUTHORIZED", this.#refusal());
    this.#challenge = next;
    this.#uses = 0;
  }

  #refusal(): string {
    const logins = describeChallenges(this.#offered);
    if (this.#offered.length === 0) return "access is forbidden";
    if (answerable(this.#offered).length === 0) {
      return `it asks for a login that is not supported (${logins}): Digest and Basic are`;
    }
    return this.#credentials === undefined
      ? `it asks for a user name and a password (${logins})`
      : `the user name or the password is wrong (${logins})`;
  }
}
