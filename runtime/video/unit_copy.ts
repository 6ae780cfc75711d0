// Access units on their way into an MP4: as they came, with lengths instead of start codes.
import { joinedUnits, nalUnits, type VideoCodec } from "./access_unit.ts";
import { unescaped } from "./bits.ts";
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
  return `${codec}:${new Uint8Array(record).toBase64()}`;
}

/** The `avcC` record of these NAL units' parameter sets. */
export function avcRecord(units: readonly Uint8Array[]): number[] {
  const sets = (type: number) => units.filter((unit) => (unit[0]! & 0x1f) === type);
  const sequence = sets(7), picture = sets(8);
  const [, profile = 0, compatibility = 0, level = 0] = sequence[0]!;
  const record = [1, profile, compatibility, level, 0xff, 0xe0 | sequence.length];
  record.push(...sequence.flatMap(counted), picture.length, ...picture.flatMap(counted));
  // Profiles from High on tell chroma format and depths as well.
  if (profile >= 100) {
    const { chroma, luma, colours } = sampleForm("h264", sequence[0]!);
    record.push(0xfc | chroma, 0xf8 | luma, 0xf8 | colours, 0);
  }
  return record;
}

function hevcRecord(units: readonly Uint8Array[]): number[] {
  const typeOf = (unit: Uint8Array) => (unit[0]! >> 1) & 0x3f;
  const [sps] = units.filter((unit) => typeOf(unit) === 33);
  // Profile, compatibility, constraints and level stand in both records alike.
  const profile = unescaped(sps!.subarray(2, 20)).subarray(1, 13);
  const { chroma, luma, colours } = sampleForm("h265", sps!);
  const record = [1, ...profile, 0xf0, 0, 0xfc, 0xfc | chroma, 0xf8 | luma, 0xf8 | colours];
  record.push(0, 0, 0x0f, 3);
  for (const type of [32, 33, 34]) {
    const sets = units.filter((unit) => typeOf(unit) === type);
    record.push(0x80 | type, sets.length >> 8, sets.length & 255, ...sets.flatMap(counted));
  }
  return record;
}

/** A parameter set after its length. */
function counted(set: Uint8Array): number[] {
  return [set.length >> 8, set.length & 255, ...set];
}
