// A thread of the bare codec loop.
/// <reference lib="deno.worker" />
import { Buffer } from "node:buffer";
import jpegTurbo from "@julusian/jpeg-turbo";
import {
  AV_CODEC_FLAG_LOW_DELAY,
  Codec,
  CodecContext,
  FF_DECODER_H264,
  Frame,
  Packet,
} from "node-av";
import { inspectImage } from "../runtime/image/inspect.ts";
import type { CodecWorkerAnswer, CodecWorkerRequest } from "./codec.ts";

const DECODE = { format: jpegTurbo.FORMAT_GRAY };

let frames: Buffer[] = [];
let encode = { ...DECODE, width: 0, height: 0, subsampling: jpegTurbo.SAMP_GRAY, quality: 80 };
const slots: { grey: Buffer; jpeg: Buffer }[] = [];

function slot(index: number): { grey: Buffer; jpeg: Buffer } {
  return slots[index] ??= {
    grey: Buffer.alloc(encode.width * encode.height),
    jpeg: Buffer.alloc(jpegTurbo.bufferSize(encode)),
  };
}

function loopSync(total: number): number {
  const { grey, jpeg } = slot(0);
  let bytes = 0;
  for (let i = 0; i < total; i++) {
    jpegTurbo.decompressSync(frames[i % frames.length]!, grey, DECODE);
    // The copy is part of the work: an output leaves on memory of its own.
    bytes += new Uint8Array(jpegTurbo.compressSync(grey, jpeg, encode)).length;
  }
  return bytes;
}

async function loopAsync(total: number, underWay: number): Promise<number> {
  let next = 0, bytes = 0;
  await Promise.all(Array.from({ length: underWay }, async (_, index) => {
    const { grey, jpeg } = slot(index);
    while (next < total) {
      await jpegTurbo.decompress(frames[next++ % frames.length]!, grey, DECODE);
      bytes += new Uint8Array(await jpegTurbo.compress(grey, jpeg, encode)).length;
    }
  }));
  return bytes;
}

/** The bare decoder; the units begin with a keyframe, so they can be gone through again and again. */
function decodeUnits(total: number): number {
  const codec = Codec.findDecoderByName(FF_DECODER_H264)!;
  const context = new CodecContext(), packet = new Packet(), frame = new Frame();
  context.allocContext3(codec);
  context.threadCount = 1;
  context.setFlags(AV_CODEC_FLAG_LOW_DELAY);
  context.open2Sync(codec, null);
  packet.alloc();
  frame.alloc();
  let bytes = 0;
  for (let i = 0; i < total; i++) {
    packet.data = frames[i % frames.length]!;
    context.sendPacketSync(packet);
    while (context.receiveFrameSync(frame) >= 0) {
      bytes += frame.width * frame.height;
      frame.unref();
    }
    packet.unref();
  }
  packet.free();
  frame.free();
  context.freeContext();
  return bytes;
}

self.onmessage = async ({ data }: MessageEvent<CodecWorkerRequest>) => {
  const answer = (message: CodecWorkerAnswer) => self.postMessage(message);
  if (data.type === "frames") {
    frames = data.frames.map((frame) => Buffer.from(frame));
    encode = { ...encode, quality: data.quality };
    answer({ type: "ready" });
  } else {
    const { total, mode } = data;
    if (mode !== "h264") {
      const { width, height } = inspectImage(frames[0]!);
      encode = { ...encode, width, height };
    }
    const bytes = mode === "h264"
      ? decodeUnits(total)
      : mode === "sync"
      ? loopSync(total)
      : await loopAsync(total, mode);
    answer({ type: "done", bytes });
  }
};
