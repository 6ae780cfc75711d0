// What a camera's stream is like, for progress and summary.
import type { VideoPacket } from "./source.ts";

/** What is known of a video stream; nothing of images. */
export interface StreamFacts {
  /** FFmpeg's name: `h264`, `hevc`, `mjpeg`. */
  readonly codec?: string;
  /** Between the last two keyframes, by the stream's own times. */
  readonly keyframeSeconds?: number;
  /** What the newest frame was published as: `image/jpeg`, `video/h264`. */
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
    // At the end of a loop, and where a stream is opened again, time goes back.
    if (between > 0) this.#betweenMs = between;
    this.#keyframeMs = streamMs;
  };

  /** Takes the content type of each frame that is published. */
  published(contentType: string): void {
    this.#contentType = contentType;
  }

  get facts(): StreamFacts {
    if (this.#codec === undefined) return {};
    return {
      codec: this.#codec,
      ...(this.#betweenMs === undefined
        ? {}
        : { keyframeSeconds: Number((this.#betweenMs / 1000).toFixed(2)) }),
      ...(this.#contentType === undefined ? {} : { contentType: this.#contentType }),
    };
  }
}
