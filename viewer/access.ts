// Access control. Closed by default: without a token the viewer answers only this machine, and rejects
// foreign host names and pages.
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { parse } from "hono/utils/cookie";
import { type Clock, systemClock } from "../runtime/base/clock.ts";
import { hostOf, isLoopback } from "../runtime/base/host.ts";

export interface ViewerToken {
  readonly token: string;
  /** Everything, `/metrics` alone, or only these cameras: 1 is `CAMERA-1`. */
  readonly opens: "all" | "metrics" | readonly number[];
}

export interface AccessOptions {
  /** Address that the viewer binds to: any except loopback needs a token or an authenticating proxy. */
  readonly hostname: string;
  readonly tokens?: readonly ViewerToken[];
  /**
   * Reverse proxy mode: the public names (`wall.example.org` or `wall.example.org:8443`) of a proxy that
   * authenticates users and forwards to the viewer.
   */
  readonly proxyHosts?: readonly string[];
  /** Origins (`https://dashboard.example.org`) whose pages may embed `/cam/N`. */
  readonly embedOrigins?: readonly string[];
  readonly clock?: Clock;
}

export interface Visitor {
  readonly partitions: "all" | ReadonlySet<number>;
}

const EVERYTHING: Visitor = { partitions: "all" };

export function maySee(visitor: Visitor, partition: number): boolean {
  return visitor.partitions === "all" || visitor.partitions.has(partition);
}

/**
 * Wrong tokens without penalty, the time after which one is forgotten, and the delay of each further answer.
 */
const FREE_GUESSES = 10;
const FORGET_MS = 6_000;
const GUESS_MS = 2_000;

export class Access {
  readonly #clock: Clock;
  /** Wrong tokens that are not forgotten, as of `#guessedAt`. */
  #guesses = 0;
  #guessedAt = -Infinity;
  readonly #proxyHosts: ReadonlySet<string>;
  readonly #embedOrigins: ReadonlySet<string>;
  /** Visitors with the digests of their token, and of the cookie derived from it. */
  readonly #visitors: { token: Uint8Array; cookie: Uint8Array; visitor: Visitor }[] = [];
  #metricsDigest: Uint8Array | undefined;

  /** @throws {Error} if the address is reachable by others without protection */
  constructor(options: AccessOptions) {
    const { hostname, tokens = [], proxyHosts = [], embedOrigins = [] } = options;
    this.#proxyHosts = new Set(proxyHosts.map((host) => host.toLowerCase()));
    this.#embedOrigins = new Set(embedOrigins);
    this.#clock = options.clock ?? systemClock;
    const isOpen = tokens.every(({ opens }) => opens !== "all");
    if (isOpen && !isLoopback(hostname) && proxyHosts.length === 0) {
      throw new Error(
        `Cannot bind the viewer to ${hostname} without a token: set one, or name the reverse proxy ` +
          "that authenticates users, or bind to 127.0.0.1",
      );
    }
    if (isOpen && tokens.some(({ opens }) => opens !== "metrics")) {
      throw new Error(
        "Cannot limit cameras without a token: a request without one could see everything",
      );
    }
    for (const { token, opens } of tokens) {
      if (opens === "metrics") {
        this.#metricsDigest = digest(token);
        continue;
      }
      const visitor: Visitor = opens === "all"
        ? EVERYTHING
        : { partitions: new Set(opens.map((camera) => camera - 1)) };
      this.#visitors.push({ token: digest(token), cookie: digest(cookieValue(token)), visitor });
    }
  }

  get guarded(): boolean {
    return this.#visitors.length > 0;
  }

  get embedOrigins(): readonly string[] {
    return [...this.#embedOrigins];
  }

  /**
   * False for a foreign `Host`: with DNS rebinding, a web page could otherwise read the cameras. With a token
   * such a page has no cookie.
   */
  hostAllowed(request: Request): boolean {
    const host = hostOf(request);
    if (host === undefined) return false;
    const { name } = host;
    if (this.#proxyHosts.has(host.full) || this.#proxyHosts.has(name)) return true;
    return isLoopback(name) || this.guarded;
  }

  /** False for requests from another site's page, for `/ws` and state-changing requests. */
  originAllowed(request: Request): boolean {
    const origin = request.headers.get("origin");
    if (origin === null) return request.headers.get("sec-fetch-site") !== "cross-site";
    const host = hostOf(request);
    let originHost: string;
    try {
      originHost = new URL(origin).host.toLowerCase();
    } catch {
      return false; // "null" or invalid
    }
    return originHost !== "" && (originHost === host?.full || this.#proxyHosts.has(originHost));
  }

  /** Whether the request comes from a page that may embed cameras. */
  embedAllowed(request: Request): boolean {
    for (const header of ["origin", "referer"]) {
      const value = request.headers.get(header);
      if (value === null || !URL.canParse(value)) continue;
      if (this.#embedOrigins.has(new URL(value).origin)) return true;
    }
    return false;
  }

  /** The visitor of a request; undefined if they must sign in. */
  async visitor(request: Request): Promise<Visitor | undefined> {
    if (!this.guarded) return EVERYTHING;
    const token = tokenOf(request);
    if (token !== undefined) return await this.visitorOfToken(token);
    const name = this.cookieName(request);
    const cookie = parse(request.headers.get("cookie") ?? "", name)[name];
    return cookie === undefined ? undefined : this.#find("cookie", cookie);
  }

  /** The visitor of a token; delays the answer after many wrong tokens. */
  async visitorOfToken(token: string): Promise<Visitor | undefined> {
    const visitor = this.#find("token", token);
    if (visitor === undefined) await this.#wrong();
    return visitor;
  }

  /** Delays the answer to a wrong token; a valid one never waits. */
  async #wrong(): Promise<void> {
    const now = this.#clock.monotonic();
    this.#guesses = Math.max(0, this.#guesses - (now - this.#guessedAt) / FORGET_MS) + 1;
    this.#guessedAt = now;
    if (this.#guesses > FREE_GUESSES) await this.#clock.sleep(GUESS_MS);
  }

  /** Compares digests, and all of them, so that timing reveals nothing about the token. */
  #find(kind: "token" | "cookie", text: string): Visitor | undefined {
    const given = digest(text);
    return this.#visitors.filter((known) => timingSafeEqual(given, known[kind]))[0]?.visitor;
  }

  async mayReadMetrics(request: Request): Promise<boolean> {
    const token = tokenOf(request);
    if (this.#metricsDigest !== undefined) {
      if (token !== undefined && timingSafeEqual(digest(token), this.#metricsDigest)) return true;
      if (!this.guarded) {
        if (token !== undefined) await this.#wrong();
        return false;
      }
    }
    // Metrics name all cameras, so visitors limited to some may not read them.
    return (await this.visitor(request))?.partitions === "all";
  }

  /** The `Set-Cookie` value derived from a token; it survives restarts and does not reveal the token. */
  cookie(request: Request, token: string): string {
    const secure = request.headers.get("x-forwarded-proto") === "https";
    return `${this.cookieName(request)}=${cookieValue(token)}; Path=/; HttpOnly; ` +
      `SameSite=Strict; Max-Age=2592000${secure ? "; Secure" : ""}`;
  }

  /** Contains the port, since browsers share cookies between ports of one host. */
  cookieName(request: Request): string {
    return `framelane-${hostOf(request)?.full.match(/:(\d+)$/)?.[1] ?? "80"}`;
  }
}

/** The token that a request itself carries, in its header or its address. */
function tokenOf({ headers, url }: Request): string | undefined {
  return headers.get("authorization")?.match(/^Bearer +(\S+) *$/i)?.[1] ??
    new URL(url).searchParams.get("token") ?? undefined;
}

function cookieValue(token: string): string {
  return createHmac("sha256", token).update("framelane viewer").digest("base64url");
}

function digest(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}
