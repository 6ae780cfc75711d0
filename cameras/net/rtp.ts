// Notices lost packets of H.264 and H.265 by their numbers in RTP (RFC 3550, 6184, 7798), and marks the
// frames around them: FFmpeg joins what is left, and a picture may be wrong up to the next keyframe.
import { Buffer } from "node:buffer";
import {
  headUnits,
  inspectAccessUnit,
  NAL_TYPES,
  type VideoCodec,
} from "../../runtime/video/access_unit.ts";

const TEXT = "Framelane: packets are missing";

interface Packaging {
  /** Begins a frame. */
  readonly delimiter: Uint8Array;
  /** A NAL unit of a reserved type, which stays in its frame, and which decoders ignore. */
  readonly mark: Uint8Array;
  /** Bytes of a NAL unit's header. */
  readonly header: number;
  /** Type of a payload that holds a fragment of a NAL unit. */
  readonly fragment: number;
}

const PACKAGING: Readonly<Record<VideoCodec, Packaging>> = {
  h264: {
    delimiter: Uint8Array.of(9, 0xf0),
    mark: Buffer.from(`\x17${TEXT}`, "latin1"),
    header: 1,
    fragment: 28,
  },
  h265: {
    delimiter: Uint8Array.of(35 << 1, 1, 0x50),
    mark: Buffer.from(`\x5e\x01${TEXT}`, "latin1"),
    header: 2,
    fragment: 49,
  },
};

/**
 * A frame without its mark; undefined if packets of it are missing, or of a frame that it depends on.
 *
 * @throws {BadFrameError} when it is marked, and no access unit.
 */
export function unmarked(codec: VideoCodec, frame: Uint8Array): Uint8Array | undefined {
  const { buffer, byteOffset, byteLength } = frame;
  const text = Buffer.from(buffer, byteOffset, byteLength).toString("latin1");
  // Found faster from the beginning.
  if (!text.includes(TEXT)) return frame;
  const at = text.lastIndexOf(TEXT);
  // A frame of which less is left does not end where the next one begins.
  if (headUnits(codec, frame.subarray(0, at)).at(-1)?.isSlice !== false) return undefined;
  const rest = frame.subarray(at + TEXT.length);
  const { entry } = inspectAccessUnit(codec, rest);
  const { nal } = headUnits(codec, rest).at(-1)!;
  // The first slice of a picture says so in its first bit.
  return entry && nal[PACKAGING[codec].header]! >= 0x80 ? rest : undefined;
}

/** Bytes of an interleaved packet's own header, and of that with the RTP header. */
const FRAMING = 4;
const HEAD = 16;
/** Packets so far back are late or repeated, as FFmpeg sees it. */
const MOST_LATE = 100;

/** What must be known of the packets of a channel. */
interface Track {
  readonly source: number;
  readonly number: number;
  /** Packets are missing behind the last one of video that was sent. */
  readonly lost: boolean;
  /** Time of that packet. */
  readonly time: number;
  /** It was the last one of its frame. */
  readonly ends: boolean;
}

/** Watches the interleaved packets of one session. */
export class PacketNumbers {
  /** The first video track, which FFmpeg reads too. */
  #video: { readonly type: number; readonly codec: VideoCodec } | undefined;
  readonly #tracks = new Map<number, Track>();

  /** Takes the body of an answer; a session description names the codec. */
  describe(body: string): void {
    const section = body.split(/^m=/m).find((text) => text.startsWith("video ")) ?? "";
    const found = /^video \S+ \S+ (\d+)[^]*?^a=rtpmap:\1 (H26[45])\//im.exec(section);
    if (found === null) return;
    this.#video = { type: Number(found[1]), codec: found[2]!.toLowerCase() as VideoCodec };
  }

  /**
   * Takes the next packet.
   *
   * @returns what to send instead where packets of video are missing before it: marks and the packet, or
   * nothing in place of the rest of a NAL unit that lacks its beginning
   */
  marked(packet: Uint8Array): Uint8Array | undefined {
    if (packet.length < HEAD || this.#video === undefined) return undefined;
    const { type, codec } = this.#video;
    const view = new DataView(packet.buffer, packet.byteOffset + FRAMING);
    const [number, time, source] = [view.getUint16(2), view.getUint32(4), view.getUint32(8)];
    const payload = payloadOf(packet);
    const isVideo = (packet[FRAMING + 1]! & 0x7f) === type && payload.length > 0;
    const ends = packet[FRAMING + 1]! >= 0x80;
    const channel = packet[1]!;
    const last = this.#tracks.get(channel);
    // Packets without video count where they share the numbers: they keep connections open.
    if (!isVideo && last?.source !== source) return undefined;
    const missing = last === undefined ? 0 : (number - last.number - 1) & 0xffff;
    if (last?.source === source && missing > 0xffff - MOST_LATE) return undefined;
    const lost = last !== undefined && (last.lost || missing > 0 || last.source !== source);
    const waits = lost && isVideo && !beginsUnit(codec, payload);
    const sent = { source, number, time, ends, lost: false };
    this.#tracks.set(channel, isVideo && !waits ? sent : { ...last!, source, number, lost });
    if (waits) return new Uint8Array();
    if (!lost || !isVideo) return undefined;
    const { delimiter, mark } = PACKAGING[codec];
    const marks = last.time === time ? [mark] : [...last.ends ? [] : [mark], delimiter, mark];
    // After a large gap FFmpeg takes nothing but the second of two packets in a row.
    const before = packetLike(packet, number - 1, new Uint8Array());
    return Buffer.concat([before, ...marks.map((nal) => packetLike(packet, number, nal)), packet]);
  }
}

/** What follows the RTP header, its sources and its extension, without padding. */
function payloadOf(packet: Uint8Array): Uint8Array {
  const flags = packet[FRAMING]!;
  const at = HEAD + 4 * (flags & 0x0f);
  const extension = flags & 0x10 ? 4 + 4 * (packet[at + 2]! * 256 + packet[at + 3]!) : 0;
  const padding = flags & 0x20 ? packet.at(-1)! : 0;
  return packet.subarray(at + extension, Math.max(0, packet.length - padding));
}

/** Another packet of the same source and time, which is not the last one of its frame. */
function packetLike(packet: Uint8Array, number: number, payload: Uint8Array): Uint8Array {
  const other = Buffer.concat([packet.subarray(0, HEAD), payload]);
  other.writeUInt16BE(other.length - FRAMING, 2);
  other[FRAMING] = 0x80;
  other[FRAMING + 1]! &= 0x7f;
  other.writeUInt16BE(number & 0xffff, FRAMING + 2);
  return other;
}

/** False for a fragment of a NAL unit that is not the first one. */
function beginsUnit(codec: VideoCodec, payload: Uint8Array): boolean {
  const { fragment, header } = PACKAGING[codec];
  return NAL_TYPES[codec].type(payload[0]!) !== fragment || payload[header]! >= 0x80;
}
