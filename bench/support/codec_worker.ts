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
import { inspectImage } from "../../runtime/image/inspect.ts";
import type { CodecWorkerRequest } from "./codec_loop.ts";

const DECODE = { format: jpegTurbo.FORMAT_GRAY };

let frames: Buffer[] = [];

function greyscale(total: number): void {
  const { width, height } = inspectImage(frames[0]!);
  const encode = { ...DECODE, width, height, subsampling: jpegTurbo.SAMP_GRAY, quality: 80 };
  const grey = Buffer.alloc(width * height), jpeg = Buffer.alloc(jpegTurbo.bufferSize(encode));
  for (let i = 0; i < total; i++) {
    jpegTurbo.decompressSync(frames[i % frames.length]!, grey, DECODE);
    // The copy is part of the work: an output leaves on memory of its own.
    new Uint8Array(jpegTurbo.compressSync(grey, jpeg, encode));
  }
}

/** The bare decoder; the units begin with a keyframe, so they can be gone through again and again. */
function decodeUnits(total: number): void {
  const codec = Codec.findDecoderByName(FF_DECODER_H264)!;
  const context = new CodecContext(), packet = new Packet(), frame = new Frame();
  context.allocContext3(codec);
  context.threadCount = 1;
  context.setFlags(AV_CODEC_FLAG_LOW_DELAY);
  context.open2Sync(codec, null);
  packet.alloc();
  frame.alloc();
  for (let i = 0; i < total; i++) {
    packet.data = frames[i % frames.length]!;
    context.sendPacketSync(packet);
    while (context.receiveFrameSync(frame) >= 0) frame.unref();
    packet.unref();
  }
  packet.free();
  frame.free();
  context.freeContext();
}

self.onmessage = ({ data }: MessageEvent<CodecWorkerRequest>) => {
  if (data.type === "frames") frames = data.frames.map((frame) => Buffer.from(frame));
  else if (data.work === "h264") decodeUnits(data.total);
  else greyscale(data.total);
  self.postMessage(undefined);
};
