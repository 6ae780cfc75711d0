// Entry of the thread that makes small JPEGs, behind everything else that the machine has to do.
/// <reference lib="deno.worker" />
import {
  canReduce,
  type JpegSize,
  reduceJpeg,
  yieldToOthers,
} from "../runtime/image/reduce_jpeg.ts";

/** A picture to make smaller. */
export interface ReduceRequest {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly size: JpegSize;
  readonly denominator: 2 | 4 | 8;
  readonly quality: number;
}

/** What became of it, in the order of the requests. */
export interface ReduceReply {
  /** Not there where the picture needs another decoder. */
  readonly bytes?: Uint8Array<ArrayBuffer>;
  /** Milliseconds that passed meanwhile. */
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
