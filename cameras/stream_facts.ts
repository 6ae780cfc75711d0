// Facts about a camera's stream, for progress and summary.
import { given } from "../runtime/base/options.ts";
import type { VideoPacket } from "./source.ts";

/** Facts about a video stream; empty for images. */
export interface StreamFacts {
  /** FFmpeg's name: `h264`, `hevc`, `mjpeg`. */
  readonly codec?: string;
  /** Seconds between the last two keyframes, by the stream's own times. */
  readonly keyframeSeconds?: number;
  /** Content type of the newest published frame: `image/jpeg`, `video/h264`. */
  readonly contentType?: string;
}

export class StreamWatch {
  #codec: string | undefined;
  #contentType: string | undefined;
  #keyframeMs: number | undefined;
  #betweenMs: number | undefined;

  readonly note = ({ codec, keyframe, streamMs }: VideoPacket): void => {
    this.#codec = codec;
    if (!keyframe || streamMs === undefined) return;
    const between = streamMs - (this.#keyframeMs ?? streamMs);
    // Time goes back when a recording loops or a stream is reopened.
    if (between > 0) this.#betweenMs = between;
    this.#keyframeMs = streamMs;
  };

  published(contentType: string): void {
    this.#contentType = contentType;
  }

  get facts(): StreamFacts {
    if (this.#codec === undefined) return {};
    const keyframeSeconds = this.#betweenMs && Number((this.#betweenMs / 1000).toFixed(2));
    return { codec: this.#codec, ...given({ keyframeSeconds, contentType: this.#contentType }) };
  }
}
