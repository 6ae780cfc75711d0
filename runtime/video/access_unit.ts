// Access units of H.264 and H.265 in Annex B form (ITU-T H.264 and H.265, annexes B): what the bytes
// alone say of them. An access unit is one frame of a stream, as the camera sent it.
import { BadFrameError } from "../definition/frame.ts";
import { BitReader, unescaped } from "./bits.ts";

/** A codec whose access units can be records of a topic. */
export type VideoCodec = "h264" | "h265";

/** What the bytes of an access unit say. */
export interface AccessUnit {
  /** It decodes by itself: it begins a group of pictures, and its parameter sets are in it. */
  readonly keyframe: boolean;
  /** Decoding can begin at its picture, given the parameter sets. */
  readonly entry: boolean;
  /** Its first slice depends on pictures before and after it; known of H.264 alone. */
  readonly bidirectional: boolean;
  /** It depends on pictures before its keyframe, and nothing of use depends on it (RASL); of H.265 alone. */
  readonly leading: boolean;
  /** Number of its H.264 frame among those that others depend on (`frame_num`); known on request. */
  readonly number: number | undefined;
  /** Other pictures may depend on it; known of H.264 alone. */
  readonly reference: boolean;
  /** As in RFC 6381, e.g. `avc1.64001f` or `hvc1.1.6.L93.B0`; known where the parameter sets are. */
  readonly codec: string | undefined;
}

/** NAL unit types of a codec, by what they are to a reader of access units. */
export interface NalTypes {
  /** Type of the unit that begins with these bytes. */
  type(header: number): number;
  /** A coded slice of a picture. */
  slice(type: number): boolean;
  /** A slice of a picture at which decoding can begin. */
  randomAccess(type: number): boolean;
  /** The delimiter, first in an access unit. */
  readonly delimiter: number;
  /** Parameter sets that a keyframe must bring. */
  readonly parameterSets: readonly number[];
  /** The sequence parameter set. */
  readonly sps: number;
  /** Supplemental enhancement information before the slices. */
  readonly sei: number;
  codec(sps: Uint8Array): string | undefined;
}

/** The types of both codecs. */
export const NAL_TYPES: Readonly<Record<VideoCodec, NalTypes>> = {
  h264: {
    type: (header) => header & 0x1f,
    slice: (type) => type >= 1 && type <= 5,
    randomAccess: (type) => type === 5,
    delimiter: 9,
    parameterSets: [7, 8],
    sps: 7,
    sei: 6,
    codec: (sps) => sps.length < 4 ? undefined : `avc1.${sps.subarray(1, 4).toHex()}`,
  },
  h265: {
    type: (header) => (header >> 1) & 0x3f,
    slice: (type) => type <= 31,
    // Instantaneous, broken-link and clean random access.
    randomAccess: (type) => type >= 16 && type <= 23,
    delimiter: 35,
    parameterSets: [32, 33, 34],
    sps: 33,
    sei: 39,
    codec: hevcCodec,
  },
};

/** The codec that a record's `content-type` names; undefined for everything but `video/h264` and `video/h265`. */
export function videoCodecOf(contentType: string | undefined): VideoCodec | undefined {
  if (contentType === undefined) return undefined;
  return H264.test(contentType) ? "h264" : H265.test(contentType) ? "h265" : undefined;
}

const H264 = /^\s*video\/h264\s*(;|$)/i;
const H265 = /^\s*video\/h265\s*(;|$)/i;

/** More NAL units than any picture has. FFmpeg takes 4 KiB of memory for each. */
export const MOST_NAL_UNITS = 8_192;

/** As many as an MP4 can hold; parameter sets have less than a hundred bytes. */
const MOST_SET_BYTES = 0xffff;

/**
 * Looks at an access unit, up to its first slice: of what follows only NAL units are counted.
 *
 * @param numberBits length of the frame's number in a slice of H.264; 0: it is not read
 * @throws {BadFrameError} `empty` when it holds no bytes, `corrupt` when it holds no coded slice, or NAL
 * units beyond all limits.
 *
 * @example
 * ```ts
 * import { inspectAccessUnit } from "./access_unit.ts";
 *
 * const unit = Uint8Array.of(0, 0, 1, 0x67, 0x64, 0, 0x1f, 0, 0, 1, 0x68, 0xee, 0, 0, 1, 0x65, 0x88);
 * console.assert(inspectAccessUnit("h264", unit).codec === "avc1.64001f");
 * ```
 */
export function inspectAccessUnit(
  codec: VideoCodec,
  bytes: Uint8Array,
  numberBits = 0,
): AccessUnit {
  if (bytes.length === 0) {
    throw new BadFrameError("empty", "Cannot use the access unit: it holds no bytes");
  }
  if (hasTooManyUnits(bytes)) {
    throw corrupt(bytes, `it holds more than ${MOST_NAL_UNITS} NAL units`);
  }
  const types = NAL_TYPES[codec];
  const head = headUnits(codec, bytes);
  const first = head.pop();
  if (first?.isSlice !== true) {
    const title = codec === "h264" ? "H.264" : "H.265";
    throw corrupt(bytes, `it holds no coded slice of ${title} behind a start code`);
  }
  let name: string | undefined;
  let recovers = false;
  for (const { type, nal } of head) {
    if (types.parameterSets.includes(type) && nal.length > MOST_SET_BYTES) {
      throw corrupt(bytes, `a parameter set has ${nal.length}, expected ${MOST_SET_BYTES} at most`);
    }
    // Layers beyond the first, such as a second view, have sets of their own.
    if (type === types.sps) name ??= types.codec(nal);
    if (codec === "h264" && type === types.sei) recovers ||= recoversAtOnce(nal);
  }
  const complete = head.length > 0 &&
    types.parameterSets.every((set) => head.some(({ type }) => type === set));
  const slice = codec === "h264" ? sliceHead(first.nal, numberBits) : undefined;
  const entry = types.randomAccess(first.type) || (recovers && slice?.type === INTRA_SLICE);
  return {
    keyframe: complete && entry,
    entry,
    bidirectional: slice?.type === BIDIRECTIONAL_SLICE,
    leading: codec === "h265" && (first.type === 8 || first.type === 9),
    reference: codec === "h264" && (first.nal[0]! & 0x60) !== 0,
    number: slice?.number,
    codec: name,
  };
}

function corrupt({ length }: Uint8Array, why: string): BadFrameError {
  return new BadFrameError("corrupt", `Cannot use the access unit of ${length} bytes: ${why}`);
}

/**
 * Whether an access unit holds more NAL units than any picture has.
 *
 * @param lengthSize bytes of the length before each NAL unit; 0: start codes, of three bytes at least
 */
export function hasTooManyUnits(bytes: Uint8Array, lengthSize = 0): boolean {
  if (bytes.length <= MOST_NAL_UNITS * (lengthSize || 3)) return false;
  const next = (at: number) =>
    lengthSize === 0
      ? afterStartCode(bytes, at)
      : at + lengthSize + numberAt(bytes, at, lengthSize);
  // The rest cannot hold as many as would be too many.
  const enough = (at: number, count: number) =>
    count + 1 + (bytes.length - at) / (lengthSize || 3) >= MOST_NAL_UNITS;
  let count = 0;
  for (let at = next(0); at < bytes.length && enough(at, count); at = next(at)) {
    if (++count >= MOST_NAL_UNITS) return true;
  }
  return false;
}

/** An unsigned number of `length` bytes, the most significant first. */
export function numberAt(bytes: Uint8Array, at: number, length: number): number {
  let number = 0;
  for (let i = 0; i < length; i++) number = number * 256 + (bytes[at + i] ?? 0);
  return number;
}

/** A NAL unit at the head of an access unit. */
interface HeadUnit {
  readonly type: number;
  readonly nal: Uint8Array;
  readonly isSlice: boolean;
}

/** The NAL units before the first coded slice, then all bytes from that slice on, which are not searched. */
export function headUnits(codec: VideoCodec, unit: Uint8Array): HeadUnit[] {
  const types = NAL_TYPES[codec];
  const units: HeadUnit[] = [];
  for (let begin = afterStartCode(unit, 0); begin < unit.length;) {
    const type = types.type(unit[begin]!);
    const isSlice = isSliceAt(types, unit, begin);
    const next = isSlice ? Infinity : afterStartCode(unit, begin);
    const nal = isSlice ? unit.subarray(begin) : withoutZeros(unit, begin, next);
    if (nal.length > 0) units.push({ type, nal, isSlice });
    begin = next;
  }
  return units;
}

function isSliceAt(types: NalTypes, unit: Uint8Array, begin: number): boolean {
  // No NAL unit begins with two zeros.
  return types.slice(types.type(unit[begin]!)) &&
    (unit[begin] !== 0 || (unit[begin + 1] ?? 0) !== 0);
}

/** Whether nothing comes before the first coded slice, as in most access units. */
export function beginsWithSlice(codec: VideoCodec, unit: Uint8Array): boolean {
  const begin = afterStartCode(unit, 0);
  return begin < unit.length && isSliceAt(NAL_TYPES[codec], unit, begin);
}

/** The NAL units of a byte stream, without start codes and trailing zeros. */
export function* nalUnits(stream: Uint8Array): Generator<Uint8Array<ArrayBufferLike>> {
  let begin = afterStartCode(stream, 0);
  while (begin < stream.length) {
    const next = afterStartCode(stream, begin);
    const unit = withoutZeros(stream, begin, next);
    if (unit.length > 0) yield unit;
    begin = next;
  }
}

/** The NAL unit from `begin` to the start code before `next`, without trailing zeros. */
function withoutZeros(stream: Uint8Array, begin: number, next: number): Uint8Array {
  let end = next === Infinity ? stream.length : next - 3;
  while (end > begin && stream[end - 1] === 0) end--;
  return stream.subarray(begin, end);
}

/** NAL units one after the other, each behind a start code or, as MP4 wants it, behind its length. */
export function joinedUnits(units: readonly Uint8Array[], before: "start-code" | "length") {
  const bytes = new Uint8Array(units.reduce((sum, { length }) => sum + 4 + length, 0));
  const view = new DataView(bytes.buffer);
  let position = 0;
  for (const unit of units) {
    view.setUint32(position, before === "length" ? unit.length : 1);
    bytes.set(unit, position + 4);
    position += 4 + unit.length;
  }
  return bytes;
}

/** The position behind the next start code; `Infinity` where there is none. */
function afterStartCode(stream: Uint8Array, from: number): number {
  for (let at = from + 2; at < stream.length;) {
    if (stream[at] === 1 && stream[at - 1] === 0 && stream[at - 2] === 0) return at + 1;
    // A start code ends with a 1, two bytes behind its first 0.
    at += stream[at] === 0 ? 1 : 3;
  }
  return Infinity;
}

/** A recovery point of H.264 at which the picture is right at once: a keyframe of an open group. */
function recoversAtOnce(sei: Uint8Array): boolean {
  const bytes = unescaped(sei.subarray(1));
  for (let at = 0; at + 2 <= bytes.length && bytes[at] !== 0x80;) {
    let type = 0, size = 0;
    while (bytes[at] === 255) type += bytes[at++]!;
    type += bytes[at++] ?? 0;
    while (bytes[at] === 255) size += bytes[at++]!;
    size += bytes[at++] ?? 0;
    // Its first number, in Exp-Golomb code, counts the frames until recovery: a leading 1 is none.
    if (type === 6) return (bytes[at] ?? 0) >= 0x80;
    at += size;
  }
  return false;
}

const BIDIRECTIONAL_SLICE = 1;
const INTRA_SLICE = 2;

/** What the header of an H.264 slice begins with: its type, and its frame's number unless that has 0 bits. */
function sliceHead(slice: Uint8Array, numberBits: number): { type: number; number?: number } {
  const bits = new BitReader(unescaped(slice.subarray(1, 16)));
  bits.exponentialGolomb();
  const type = bits.exponentialGolomb() % 5;
  if (numberBits === 0) return { type };
  bits.exponentialGolomb();
  return { type, number: bits.number(numberBits) };
}

/** ISO/IEC 14496-15, annex E: profile, compatibility, tier and level, constraints. */
function hevcCodec(sps: Uint8Array): string | undefined {
  const bytes = unescaped(sps.subarray(2, 32));
  if (bytes.length < 13) return undefined;
  const [, head = 0] = bytes;
  const space = ["", "A", "B", "C"][head >> 6]!;
  let compatibility = 0;
  // The flags stand in the string in reverse order of bits.
  for (let bit = 0; bit < 32; bit++) {
    if ((bytes[2 + (bit >> 3)]! >> (7 - (bit & 7))) & 1) compatibility += 2 ** bit;
  }
  const constraints = [...bytes.subarray(6, 12)];
  while (constraints.at(-1) === 0) constraints.pop();
  return [
    `hvc1.${space}${head & 0x1f}`,
    compatibility.toString(16).toUpperCase(),
    `${head & 0x20 ? "H" : "L"}${bytes[12]}`,
    ...constraints.map((byte) => byte.toString(16).toUpperCase()),
  ].join(".");
}
