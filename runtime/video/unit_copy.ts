// Access units on their way into an MP4: as they came, with lengths instead of start codes.
import { concatenated } from "../base/bytes.ts";
import { joinedUnits, NAL_TYPES, nalUnits, type VideoCodec } from "./access_unit.ts";
import { unescaped } from "./bits.ts";
import { u16 } from "./mp4_box.ts";
import { sampleForm } from "./sequence.ts";

/** The unit's bytes as an MP4 sample: each NAL unit with its length; by default all of them. */
export function withLengths(
  unit: Uint8Array,
  keep: (nal: Uint8Array) => boolean = () => true,
): Uint8Array {
  return joinedUnits([...nalUnits(unit)].filter(keep), "length");
}

/**
 * The decoder's configuration record of a keyframe: `avcC` or `hvcC` (ISO/IEC 14496-15), named by its
 * codec: `h264:BASE64`.
 */
export function configurationOf(codec: VideoCodec, keyframe: Uint8Array): string {
  const units = [...nalUnits(keyframe)];
  const record = codec === "h264" ? avcRecord(units) : hevcRecord(units);
  return `${codec}:${record.toBase64()}`;
}

/** The `avcC` record of these NAL units' parameter sets. */
export function avcRecord(units: readonly Uint8Array[]): Uint8Array {
  // As many as it can count.
  const sets = (type: number, most: number) =>
    units.filter((unit) => NAL_TYPES.h264.type(unit[0]!) === type).slice(-most);
  const sequence = sets(7, 31), picture = sets(8, 255);
  const [, profile = 0, compatibility = 0, level = 0] = sequence[0]!;
  const { chroma, luma, colours } = sampleForm("h264", sequence[0]!);
  return concatenated([
    Uint8Array.of(1, profile, compatibility, level, 0xff, 0xe0 | sequence.length),
    ...sequence.flatMap(counted),
    Uint8Array.of(picture.length),
    ...picture.flatMap(counted),
    // Profiles from High on tell chroma format and depths as well.
    Uint8Array.from(profile < 100 ? [] : [0xfc | chroma, 0xf8 | luma, 0xf8 | colours, 0]),
  ]);
}

function hevcRecord(units: readonly Uint8Array[]): Uint8Array {
  const { parameterSets, sps, type } = NAL_TYPES.h265;
  const sets = (kind: number) => units.filter((unit) => type(unit[0]!) === kind);
  const [sequence] = sets(sps);
  // Profile, compatibility, constraints and level stand in both records alike.
  const profile = unescaped(sequence!.subarray(2, 20)).subarray(1, 13);
  const { chroma, luma, colours } = sampleForm("h265", sequence!);
  const form = [0xfc, 0xfc | chroma, 0xf8 | luma, 0xf8 | colours];
  return concatenated([
    Uint8Array.of(1, ...profile, 0xf0, 0, ...form, 0, 0, 0x0f, 3),
    ...parameterSets.flatMap((kind) => [
      Uint8Array.of(0x80 | kind),
      u16(sets(kind).length),
      ...sets(kind).flatMap(counted),
    ]),
  ]);
}

/** A parameter set after its length. */
function counted(set: Uint8Array): Uint8Array[] {
  return [u16(set.length), set];
}
