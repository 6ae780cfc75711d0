// What FFmpeg says of a keyframe when it decodes it by itself.
import { Buffer } from "node:buffer";
import { AV_FRAME_FLAG_INTERLACED, type Codec, CodecContext, Frame, Packet } from "node-av";

/** A stream from one keyframe on. */
export interface KeyframeFacts {
  /** Pixels that are shown. */
  readonly width: number;
  readonly height: number;
  /** How many frames may come before one that is shown earlier: 0 where the order is that of showing. */
  readonly reordered: number;
  readonly interlaced: boolean;
}

/** Decodes a keyframe with nothing before it; undefined where no picture comes out. */
export async function probeKeyframe(
  codec: Codec,
  unit: Uint8Array,
): Promise<KeyframeFacts | undefined> {
  const context = new CodecContext();
  const packet = new Packet();
  const frame = new Frame();
  context.allocContext3(codec);
  try {
    packet.alloc();
    frame.alloc();
    context.threadCount = 1;
    if (await context.open2(codec, null) < 0) return undefined;
    packet.data = Buffer.from(unit.buffer, unit.byteOffset, unit.byteLength);
    if (await context.sendPacket(packet) < 0 || await context.sendPacket(null) < 0) {
      return undefined;
    }
    if (context.receiveFrameSync(frame) < 0) return undefined;
    const { width, height } = frame;
    const interlaced = frame.hasFlags(AV_FRAME_FLAG_INTERLACED);
    return { width, height, reordered: context.hasBFrames, interlaced };
  } finally {
    frame.free();
    packet.free();
    context.freeContext();
  }
}
