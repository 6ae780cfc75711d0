// RTSP cameras.
import { checkUrl, type LiveSettings, liveSettings, type SourceKindRow } from "../source_kind.ts";
import { maskUrl } from "../../runtime/base/mask.ts";
import { given } from "../../runtime/base/options.ts";
import type { Peer, TlsSettings } from "../net/connection.ts";
import {
  answerable,
  type Credentials,
  describeChallenges,
  splitCredentials,
} from "../net/login.ts";
import { describeStream, RtspRelay } from "../net/rtsp.ts";
import { type CameraSource, type SourceContext, SourceError, type SourceImage } from "../source.ts";
import type { VideoInputOptions } from "../video/input.ts";
import { DEFAULT_OPEN_TIMEOUT_MS, DEFAULT_STALL_MS } from "../watchdog.ts";
import { liveVideo } from "./live_video.ts";

const DEFAULT_PORTS = { rtsp: 554, rtsps: 322 } as const;

/**
 * An RTSP stream: `rtsp://` and `rtsps://` carry the video in the TCP connection, `rtsp+udp://`
 * over UDP. FFmpeg reads it; TLS and logins go through a relay, so that FFmpeg, which follows any
 * redirect, never has a password.
 */
export class RtspSource implements CameraSource {
  readonly description: string;
  readonly kind = "live";
  readonly #url: string;
  readonly #udp: boolean;
  readonly #peer: Peer;
  readonly #credentials: Credentials | undefined;
  readonly #options: LiveSettings;
  /** True to use the relay: FFmpeg needs a login, or its own connection broke. */
  #relayed: boolean;

  constructor(text: string, options: LiveSettings = {}) {
    this.description = maskUrl(text);
    this.#udp = /^rtsp\+udp:/i.test(text);
    const { url, peer, credentials } = readUrl(text.replace(/^rtsp\+udp:/i, "rtsp:"), options);
    this.#url = url;
    this.#peer = peer;
    this.#credentials = credentials;
    this.#options = options;
    this.#relayed = peer.secure || credentials !== undefined;
  }

  async *open(context: SourceContext): AsyncGenerator<SourceImage> {
    if (this.#relayed) return yield* this.#watchRelayed(context);
    let began = false;
    try {
      for await (const image of this.#watch(this.#url, context)) {
        began = true;
        yield image;
      }
    } catch (error) {
      if (began || !(error instanceof SourceError)) throw error;
      throw await this.#explain(error, context.signal);
    } finally {
      if (began || context.signal.aborted) this.#relayed = !this.#udp;
    }
  }

  async *#watchRelayed(context: SourceContext): AsyncGenerator<SourceImage> {
    const { openTimeoutMs = DEFAULT_OPEN_TIMEOUT_MS } = this.#options;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), openTimeoutMs);
    let refused: unknown;
    try {
      using relay = await RtspRelay.open(
        this.#peer,
        this.#url,
        this.#credentials,
        AbortSignal.any([context.signal, late.signal]),
        () =>
          context.report(`${this.description} sends stray bytes between packets: they are ignored`),
      );
      clearTimeout(timer);
      try {
        yield* this.#watch(relay.url, context);
      } finally {
        refused = relay.failure;
      }
    } catch (reason) {
      const error = refused instanceof SourceError ? refused : reason;
      if (context.signal.aborted) return;
      if (late.signal.aborted) {
        throw this.#fault("UNREACHABLE", `no answer within ${openTimeoutMs / 1000} s`);
      }
      throw error instanceof SourceError && !error.message.includes(this.description)
        ? this.#fault(error.code, error.message, error)
        : error;
    } finally {
      clearTimeout(timer);
    }
  }

  #watch(url: string, context: SourceContext): AsyncGenerator<SourceImage> {
    const { openTimeoutMs = DEFAULT_OPEN_TIMEOUT_MS, stallMs = DEFAULT_STALL_MS } = this.#options;
    const input: VideoInputOptions = {
      url,
      name: `stream ${this.description}`,
      // FFmpeg follows redirects to any host and any permitted protocol.
      protocols: ["rtp", "rtsp", "tcp", ...(this.#udp ? ["udp"] : [])],
      format: "rtsp",
      options: {
        rtsp_transport: this.#udp ? "udp" : "tcp",
        allowed_media_types: "video",
        timeout: String(Math.max(stallMs, 1_000) * 1000),
      },
      local: false,
      probe: false,
      openTimeoutMs,
    };
    return liveVideo(input, this.#options, context);
  }

  /** Explains FFmpeg's failure by the server's answer, if it has one. */
  async #explain(error: SourceError, signal: AbortSignal): Promise<SourceError> {
    if (error.code === "UNREADABLE" || signal.aborted) return error;
    const { openTimeoutMs = DEFAULT_OPEN_TIMEOUT_MS } = this.#options;
    let answer;
    try {
      const timeout = AbortSignal.timeout(Math.min(openTimeoutMs, 5_000));
      answer = await describeStream(this.#peer, this.#url, AbortSignal.any([signal, timeout]));
    } catch {
      // FFmpeg's own error is enough.
      return error;
    }
    const { status, reason, challenges } = answer;
    if (status === 401) {
      const wanted = answerable(challenges).length === 0
        ? "a login that is not supported"
        : "a user name and a password";
      const offered = describeChallenges(challenges);
      return this.#fault("UNAUTHORIZED", `it asks for ${wanted} (${offered})`);
    }
    if (status < 400) this.#relayed = !this.#udp;
    if (status < 400 || status === 404) return error;
    return this.#fault("UNREACHABLE", `the server answers ${status} ${reason}`, error);
  }

  #fault(code: SourceError["code"], why: string, cause?: unknown): SourceError {
    const message = `Cannot open stream ${this.description}: ${why}`;
    return new SourceError(code, message, { cause });
  }
}

/** Splits a stream's URL into the URL without credentials, the peer and the credentials. */
function readUrl(text: string, { tlsCa, tlsInsecure }: TlsSettings) {
  const scheme = /^rtsps:/i.test(text) ? "rtsps" : "rtsp";
  // Parse it as an HTTP URL, which reads hosts and ports the usual way.
  const { url, credentials } = splitCredentials(text.replace(/^rtsps?:/i, "http:"));
  const port = Number(/^http:\/\/(?:\[[^\]]*\]|[^/:?#]*):(\d+)/.exec(url)?.[1] ?? NaN);
  const peer: Peer = {
    hostname: new URL(url).hostname,
    port: port || DEFAULT_PORTS[scheme],
    secure: scheme === "rtsps",
    ...given({ tlsCa, tlsInsecure }),
  };
  return { url: url.replace(/^http:/, `${scheme}:`), peer, credentials };
}

/** The logins that a stream's server offers; undefined if it needs none. */
export async function offeredByStream(
  text: string,
  settings: TlsSettings,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { url, peer } = readUrl(text, settings);
  const { challenges } = await describeStream(peer, url, signal);
  return challenges.length === 0 ? undefined : describeChallenges(challenges);
}

export const rtspRow: SourceKindRow = {
  schemes: ["rtsp", "rtsps", "rtsp+udp"],
  form: "rtsp://…",
  help: "A network camera",
  access: { target: "stream" },
  video: true,
  make(text, _rest, settings) {
    checkUrl(maskUrl(text), text);
    const { codec = "auto", fps } = settings;
    return new RtspSource(text, {
      ...liveSettings(settings),
      // At a lower frame rate, frames that others depend on are missing.
      codec: codec === "auto" && typeof fps === "number" ? "jpeg" : codec,
    });
  },
};
