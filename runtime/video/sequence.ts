// Sequence parameter sets: the form of the samples, and in which order pictures are shown (ITU-T H.264,
// 7.3.2.1 and annex E; H.265, 7.3.2.2 and 7.3.3).
import {
  beginsWithSlice,
  headUnits,
  joinedUnits,
  NAL_TYPES,
  type VideoCodec,
} from "./access_unit.ts";
import { BitReader, BitWriter, unescaped } from "./bits.ts";

/** Chroma format, and bits of luma and colours beyond 8. */
export interface SampleForm {
  /** 0 grey, 1 4:2:0, 2 4:2:2, 3 4:4:4. */
  readonly chroma: number;
  readonly luma: number;
  readonly colours: number;
}

/** Longest number of a frame in H.264. */
const MOST_NUMBER_BITS = 16;

/** Whether a profile of H.264 names the form of its samples: High and those that build on it. */
const namesForm = (profile: number) => profile >= 100 || [44, 83, 86].includes(profile);

/** The form of the samples of a sequence. */
export function sampleForm(codec: VideoCodec, sps: Uint8Array): SampleForm {
  if (codec === "h264") return avcForm(new BitReader(unescaped(sps.subarray(1))));
  const bits = new BitReader(unescaped(sps.subarray(2)));
  hevcHead(bits);
  return hevcForm(bits);
}

/**
 * An access unit that decodes to the same picture, but says that pictures are shown in the order in which
 * they come: FFmpeg would hold back those of a sequence that allows another order, or whose numbers leave
 * some out, until later ones have come. Units without parameter sets stay as they are.
 */
export function shownAtOnce(codec: VideoCodec, unit: Uint8Array): Uint8Array {
  if (beginsWithSlice(codec, unit)) return unit;
  const { sps } = NAL_TYPES[codec];
  const head = headUnits(codec, unit);
  if (head.every(({ type }) => type !== sps)) return unit;
  const atOnce = codec === "h264" ? avcAtOnce : hevcAtOnce;
  const units = head.map(({ type, nal }) => type === sps ? atOnce(nal) : nal);
  return joinedUnits(units, "start-code");
}

function avcForm(bits: BitReader): SampleForm {
  const profile = bits.number(8);
  bits.skip(16);
  bits.skipNumbers(1);
  if (!namesForm(profile)) return { chroma: 1, luma: 0, colours: 0 };
  const chroma = chromaOf(bits);
  return { chroma, luma: bits.exponentialGolomb(), colours: bits.exponentialGolomb() };
}

function chromaOf(bits: BitReader): number {
  const chroma = bits.exponentialGolomb() & 3;
  if (chroma === 3) bits.bit(); // planes apart
  return chroma;
}

/** One of the two fields of an H.264 frame. */
export interface Field {
  readonly bottom: boolean;
  /** Number of its frame (`frame_num`), which both fields have. */
  readonly frame: number;
}

/** The field that an H.264 slice belongs to; undefined if it belongs to a whole frame. */
export function fieldOf(slice: Uint8Array, sps: Uint8Array): Field | undefined {
  const { numberBits, fields } = skipToSize(new BitReader(unescaped(sps.subarray(1))), sps[1]!);
  if (!fields) return undefined;
  const bits = new BitReader(unescaped(slice.subarray(1, 32)));
  bits.skipNumbers(3);
  const frame = bits.number(numberBits);
  return bits.bit() === 1 ? { frame, bottom: bits.bit() === 1 } : undefined;
}

/** Length of a frame's number in the slices of an H.264 keyframe's group; 0 where numbers may be missing. */
export function frameNumberBits(keyframe: Uint8Array): number {
  const [sps, other] = headUnits("h264", keyframe).filter(({ type }) =>
    type === NAL_TYPES.h264.sps
  );
  if (sps === undefined || other !== undefined) return 0;
  const bits = new BitReader(unescaped(sps.nal.subarray(1)));
  const { numberBits, gaps, chroma } = skipToSize(bits, sps.nal[1]!);
  return gaps || chroma === 3 ? 0 : numberBits;
}

/** Reads a sequence parameter set of H.264 up to its size; returns what the headers of slices depend on. */
function skipToSize(bits: BitReader, profile: number) {
  const { chroma } = avcForm(bits);
  if (namesForm(profile)) {
    bits.bit();
    if (bits.bit() === 1) skipScaling(bits, chroma === 3 ? 12 : 8);
  }
  const numberBits = Math.min(MOST_NUMBER_BITS, bits.exponentialGolomb() + 4);
  const orderType = bits.exponentialGolomb();
  if (orderType === 0) bits.skipNumbers(1);
  if (orderType === 1) {
    bits.bit();
    bits.skipNumbers(2);
    bits.skipNumbers(Math.min(255, bits.exponentialGolomb()));
  }
  bits.skipNumbers(1);
  const gaps = bits.bit() === 1;
  bits.skipNumbers(2);
  const fields = bits.bit() === 0;
  if (fields) bits.bit();
  return { numberBits, fields, gaps, chroma };
}

function avcAtOnce(sps: Uint8Array): Uint8Array {
  const payload = unescaped(sps.subarray(1));
  const bits = new BitReader(payload);
  skipToSize(bits, sps[1]!);
  bits.bit();
  if (bits.bit() === 1) bits.skipNumbers(4);
  const to = new BitWriter().copy(payload, 0, bits.position);
  const from = bits.position;
  // Usability information says nothing where there is none: eight flags.
  if (bits.bit() === 0) to.number(0b1_0000_0000, 9);
  else {
    skipUsability(bits);
    to.copy(payload, from, bits.position);
  }
  if (bits.position > payload.length * 8) return sps; // cut off
  to.number(0b11, 2).exponentialGolomb(0).exponentialGolomb(0);
  to.exponentialGolomb(15).exponentialGolomb(15);
  // Nothing is shown later, and as many pictures are kept as can be.
  return to.exponentialGolomb(0).exponentialGolomb(16).number(1, 1).unit(sps.subarray(0, 1));
}

function skipScaling(bits: BitReader, lists: number): void {
  for (let list = 0; list < lists; list++) {
    if (bits.bit() === 0) continue;
    for (let at = 0, last = 8; at < (list < 6 ? 16 : 64) && last !== 0; at++) {
      const code = bits.exponentialGolomb();
      last = (last + (code % 2 === 0 ? -code / 2 : (code + 1) / 2)) & 255;
    }
  }
}

/** Up to the flag of the restrictions, which come last. */
function skipUsability(bits: BitReader): void {
  const present = () => bits.bit() === 1;
  if (present() && bits.number(8) === 255) bits.skip(32);
  if (present()) bits.skip(1);
  if (present()) bits.skip(bits.number(5) % 2 * 24);
  if (present()) bits.skipNumbers(2);
  if (present()) bits.skip(65);
  let buffers = 0;
  for (let kind = 0; kind < 2; kind++) {
    if (!present()) continue;
    const count = Math.min(32, bits.exponentialGolomb() + 1);
    bits.skip(8);
    for (buffers = 1; buffers <= count; buffers++) {
      bits.skipNumbers(2);
      bits.skip(1);
    }
    bits.skip(20);
  }
  bits.skip(buffers > 0 ? 2 : 1);
}

/** Number of sub-layers, profile and level. @returns sub-layers besides the first */
function hevcHead(bits: BitReader): number {
  bits.skip(4);
  const layers = bits.number(3);
  bits.skip(1 + 96);
  const present = Array.from({ length: layers }, () => [bits.bit(), bits.bit()] as const);
  if (layers > 0) bits.skip(2 * (8 - layers));
  for (const [profile, level] of present) bits.skip(88 * profile + 8 * level);
  bits.skipNumbers(1);
  return layers;
}

function hevcForm(bits: BitReader): SampleForm {
  const chroma = chromaOf(bits);
  bits.skipNumbers(2);
  if (bits.bit() === 1) bits.skipNumbers(4);
  return { chroma, luma: bits.exponentialGolomb(), colours: bits.exponentialGolomb() };
}

function hevcAtOnce(sps: Uint8Array): Uint8Array {
  const payload = unescaped(sps.subarray(2));
  const bits = new BitReader(payload);
  const layers = hevcHead(bits);
  hevcForm(bits);
  bits.skipNumbers(1);
  const each = bits.bit() === 1;
  const to = new BitWriter();
  let copied = 0;
  for (let layer = each ? 0 : layers; layer <= layers; layer++) {
    bits.skipNumbers(1);
    to.copy(payload, copied, bits.position).exponentialGolomb(0);
    bits.skipNumbers(1);
    copied = bits.position;
    bits.skipNumbers(1);
  }
  if (bits.position > payload.length * 8) return sps; // cut off
  return to.copy(payload, copied, payload.length * 8).unit(sps.subarray(0, 2));
}
