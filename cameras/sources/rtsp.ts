/**
 * A network camera that speaks RTSP.
 *
 * @module
 */
import { maskUrl } from "../../runtime/base/mask.ts";
import type { CameraSource, SourceContext, SourceImage } from "../source.ts";
import { liveVideo, type StreamOptions } from "./live_video.ts";

const TIMEOUT_MS = 5_000;
/** Opening takes several requests, and the first key frame. */
const OPEN_TIMEOUT_FACTOR = 3;

/**
 * An RTSP stream: `rtsp://` and `rtsps://` carry the video inside the one TCP connection,
 * `rtsp+udp://` beside it.
 */
export class RtspSource implements CameraSource {
  readonly description: string;
  readonly kind = "live";
  readonly #url: string;
  readonly #options: StreamOptions;

  constructor(url: string, options: StreamOptions = {}) {
    this.description = maskUrl(url);
    this.#url = url;
    this.#options = options;
  }

  async *open(context: SourceContext): AsyncGenerator<SourceImage> {
    const { timeoutMs = TIMEOUT_MS } = this.#options;
    const udp = /^rtsp\+udp:/i.test(this.#url);
    const secure = /^rtsps:/i.test(this.#url);
    yield* liveVideo(
      {
        url: this.#url.replace(/^rtsp\+udp:/i, "rtsp:"),
        name: `stream ${this.description}`,
        // FFmpeg would follow a server's redirection to any protocol, files among them.
        protocols: [
          "rtp",
          secure ? "rtsps" : "rtsp",
          "tcp",
          ...(secure ? ["tls"] : []),
          ...(udp ? ["udp"] : []),
        ],
        format: "rtsp",
        options: {
          rtsp_transport: udp ? "udp" : "tcp",
          allowed_media_types: "video",
          timeout: String(timeoutMs * 1000),
        },
        local: false,
        probe: false,
        openTimeoutMs: OPEN_TIMEOUT_FACTOR * timeoutMs,
      },
      this.#options,
      context,
    );
  }
}
