// Notices lost packets of H.264 and H.265 by their numbers in RTP (RFC 3550, 6184, 7798), and marks the
// frames that lack them: FFmpeg joins what is left, and a picture may be wrong up to the next keyframe.
import { Buffer } from "node:buffer";
import { NAL_TYPES, type VideoCodec } from "../../runtime/video/access_unit.ts";

const MARK = Buffer.from("Framelane: packets are missing");

/** A NAL unit of a reserved type stays in its frame, and decoders ignore it. */
const HEADERS: Readonly<Record<VideoCodec, Uint8Array>> = {
  h264: Uint8Array.of(23),
  h265: Uint8Array.of(47 << 1, 1),
};
/** Types of payloads that hold several NAL units, or a fragment of one. */
const PAYLOADS = { h264: { several: 24, fragment: 28 }, h265: { several: 48, fragment: 49 } };

/** Bytes of an interleaved packet's own header, and of that with the RTP header. */
const FRAMING = 4;
const HEAD = 16;
/** After a larger step the camera counts from elsewhere. */
const MOST_LOST = 3_000;

/** True for a frame that was marked. */
export function lacksPackets({ buffer, byteOffset, byteLength }: Uint8Array): boolean {
  return Buffer.from(buffer, byteOffset, byteLength).includes(MARK);
}

/** What must be known of the last packet of a channel. */
interface Last {
  readonly number: number;
  readonly time: number;
  readonly source: number;
  /** It was the last one of its frame. */
  readonly ends: boolean;
}

/** Watches the interleaved packets of one session. */
export class PacketNumbers {
  /** By payload type. */
  #codecs: ReadonlyMap<number, VideoCodec> = new Map();
  readonly #channels = new Map<number, Last>();

  /** Takes the session description, which names the codecs. */
  describe(sdp: string): void {
    const lines = sdp.matchAll(/^a=rtpmap:(\d{1,3}) (H26[45])\//gim);
    this.#codecs = new Map(
      Array.from(lines, ([, type, name]) => [Number(type), name!.toLowerCase() as VideoCodec]),
    );
  }

  /**
   * Takes the next packet.
   *
   * @returns what to send instead where packets of video are missing before it: the packet, and marks
   */
  marked(packet: Uint8Array): Uint8Array | undefined {
    const type = packet[FRAMING + 1]! & 0x7f;
    // Reports (RTCP) have no number.
    if (packet.length <= HEAD || (type >= 64 && type < 96)) return undefined;
    const view = new DataView(packet.buffer, packet.byteOffset + FRAMING);
    const next: Last = {
      number: view.getUint16(2),
      time: view.getUint32(4),
      source: view.getUint32(8),
      ends: view.getUint8(1) >= 0x80,
    };
    const last = this.#channels.get(packet[1]!);
    this.#channels.set(packet[1]!, next);
    const codec = this.#codecs.get(type);
    if (codec === undefined || last?.source !== next.source) return undefined;
    const missing = (next.number - last.number - 1) & 0xffff;
    if (missing === 0 || missing > MOST_LOST) return undefined;
    const mark = markLike(packet, codec);
    if (last.time === next.time) return Buffer.concat([mark, packet]);
    const whole = beginsKeyframe(codec, packet.subarray(HEAD));
    return Buffer.concat([...last.ends ? [] : [mark], packet, ...whole ? [] : [mark]]);
  }
}

/** A packet with a mark, for the frame of another packet. */
function markLike(packet: Uint8Array, codec: VideoCodec): Uint8Array {
  const mark = Buffer.concat([packet.subarray(0, HEAD), HEADERS[codec], MARK]);
  mark.writeUInt16BE(mark.length - FRAMING, 2);
  // Nothing but a payload, which is not the last one of its frame.
  mark[FRAMING] = 0x80;
  mark[FRAMING + 1]! &= 0x7f;
  return mark;
}

/** True for the payload that a keyframe begins with: parameter sets, or its picture's first slice. */
function beginsKeyframe(codec: VideoCodec, payload: Uint8Array): boolean {
  const { type: typeOf, randomAccess, parameterSets } = NAL_TYPES[codec];
  const header = HEADERS[codec].length;
  const { several, fragment } = PAYLOADS[codec];
  const kind = typeOf(payload[0]!);
  const isFragment = kind === fragment;
  if (isFragment && (payload[header] ?? 0) < 0x80) return false;
  const nal = payload.subarray(kind === several ? header + 2 : 0);
  // The type stands in the low bits of a fragment's own header.
  const type = isFragment ? nal[header]! & (codec === "h264" ? 0x1f : 0x3f) : typeOf(nal[0] ?? 0);
  const isFirst = (nal[header + (isFragment ? 1 : 0)] ?? 0) >= 0x80;
  return parameterSets.includes(type) || (randomAccess(type) && isFirst);
}
