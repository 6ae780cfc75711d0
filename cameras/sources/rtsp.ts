// RTSP cameras.
import { checkUrl, type SourceKindRow } from "../source_kind.ts";
import { maskUrl } from "../../runtime/base/mask.ts";
import { given } from "../../runtime/base/options.ts";
import type { Peer, TlsSettings } from "../net/connection.ts";
import { Login, splitCredentials } from "../net/login.ts";
import { RedirectError, RtspRelay } from "../net/rtsp.ts";
import { type CameraSource, type SourceContext, SourceError, type SourceImage } from "../source.ts";
import type { CameraSettings } from "../settings.ts";
import { openingLimit } from "../watchdog.ts";
import { liveVideo } from "./live_video.ts";

const DEFAULT_PORTS = { rtsp: 554, rtsps: 322 } as const;
const MOST_REDIRECTS = 5;

/**
 * An RTSP stream: `rtsp://` and `rtsps://` carry the video in the TCP connection, `rtsp+udp://`
 * over UDP. FFmpeg reads it through a relay, so that FFmpeg, which follows any redirect, never has a
 * password, and the relay explains what fails. Redirects to the same server are followed here.
 */
export class RtspSource implements CameraSource {
  readonly description: string;
  readonly kind = "live";
  readonly #stream: ReturnType<typeof readUrl>;
  readonly #udp: boolean;
  readonly #options: CameraSettings;

  constructor(text: string, options: CameraSettings = {}) {
    this.description = maskUrl(text);
    this.#udp = /^rtsp\+udp:/i.test(text);
    this.#stream = readUrl(text.replace(/^rtsp\+udp:/i, "rtsp:"), options);
    this.#options = options;
  }

  async *open(context: SourceContext): AsyncGenerator<SourceImage> {
    let { uri } = this.#stream;
    const name = `stream ${this.description}`;
    using late = openingLimit(this.#options, `Cannot open ${name}: no video came`, context);
    for (let redirects = 0;; redirects++) {
      const { peer, credentials } = this.#stream;
      using relay = new RtspRelay({
        peer,
        uri,
        login: new Login(credentials, context.onLogin),
        report: (fault) => context.report(`${this.description} ${fault}`),
      });
      try {
        return yield* liveVideo(
          {
            url: relay.url,
            name,
            protocols: ["rtp", "rtsp", "tcp", ...(this.#udp ? ["udp"] : [])],
            format: "rtsp",
            options: {
              rtsp_transport: this.#udp ? "udp" : "tcp",
              allowed_media_types: "video",
              // RTP's times need none: FFmpeg would take a clock that was set back for one.
              correct_ts_overflow: "0",
            },
            local: false,
            probe: false,
            late: late.signal,
          },
          this.#options,
          context,
        );
      } catch (error) {
        const { failure } = relay;
        if (!(failure instanceof SourceError)) throw error;
        const moved = failure instanceof RedirectError ? onSameServer(failure.to, uri) : undefined;
        if (moved !== undefined && redirects < MOST_REDIRECTS) {
          uri = moved;
          continue;
        }
        const { code, retryable } = failure;
        const message = moved === undefined
          ? failure.message
          : `it redirects more than ${MOST_REDIRECTS} times`;
        throw new SourceError(code, `Cannot open ${name}: ${message}`, {
          retryable,
          cause: failure,
        });
      }
    }
  }
}

/** Where a redirection leads, without credentials; undefined if to another server, or without TLS. */
function onSameServer(to: string, from: string): string | undefined {
  const [next, before] = [URL.parse(to, from), new URL(from)];
  const server = ({ protocol, hostname, port }: URL) => {
    const scheme = protocol === "rtsps:" ? "rtsps" : "rtsp";
    return `${protocol}${hostname.toLowerCase()}:${port || DEFAULT_PORTS[scheme]}`;
  };
  if (next === null || server(next) !== server(before)) return undefined;
  next.username = next.password = "";
  return next.href;
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
  return { uri: url.replace(/^http:/, `${scheme}:`), peer, credentials };
}

export const rtspRow: SourceKindRow = {
  schemes: ["rtsp", "rtsps", "rtsp+udp"],
  form: "rtsp://…",
  help: "A network camera",
  access: { target: "stream" },
  uses: (text) => [
    "stallMs",
    "openTimeoutMs",
    ...(/^rtsps:/i.test(text) ? ["tlsCa", "tlsInsecure"] as const : []),
  ],
  video: true,
  make(text, _rest, settings) {
    checkUrl(text);
    const { codec = "auto", fps } = settings;
    return new RtspSource(text, {
      ...settings,
      // At a lower frame rate, frames that others depend on are missing.
      codec: codec === "auto" && typeof fps === "number" ? "jpeg" : codec,
    });
  },
};
