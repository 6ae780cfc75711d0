// Entry point of the thread that makes small JPEGs, at the lowest priority.
/// <reference lib="deno.worker" />
import {
  canReduce,
  type JpegSize,
  reduceJpeg,
  yieldToOthers,
} from "../runtime/image/reduce_jpeg.ts";

export interface ReduceRequest {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly size: JpegSize;
  readonly denominator: 2 | 4 | 8;
  readonly quality: number;
}

/** The result, in the order of the requests. */
export interface ReduceReply {
  /** Absent if the picture needs another decoder. */
  readonly bytes?: Uint8Array<ArrayBuffer>;
  readonly ms: number;
}

yieldToOthers({ idle: true });

self.onmessage = ({ data }: MessageEvent<ReduceRequest>) => {
  const begun = performance.now();
  const bytes = canReduce
    ? reduceJpeg(data.bytes, data.size, data.denominator, data.quality)
    : undefined;
  const ms = performance.now() - begun;
  if (bytes === undefined) self.postMessage({ ms } satisfies ReduceReply);
  else self.postMessage({ bytes, ms } satisfies ReduceReply, [bytes.buffer]);
};
