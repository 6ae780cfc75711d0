// Access units on their way out of a container: start codes instead of lengths, parameter sets before
// each keyframe's slices. The way back is in `unit_copy.ts`.
import { Buffer } from "node:buffer";
import { concatenated } from "../base/bytes.ts";
import {
  type AccessUnit,
  hasTooManyUnits,
  headUnits,
  inspectAccessUnit,
  joinedUnits,
  MOST_NAL_UNITS,
  NAL_TYPES,
  nalUnits,
  numberAt,
  type VideoCodec,
} from "./access_unit.ts";
import { type Field, fieldOf } from "./sequence.ts";

/** Streams have a few parameter sets. */
const MOST_SETS = 32;

/** An access unit in Annex B form. */
export interface AnnexBUnit extends AccessUnit {
  /** On memory of its own. */
  readonly bytes: Uint8Array;
  /** The unit is one of the two fields of a frame; absent for a whole frame. */
  readonly field?: Field;
}

/** Joins the two fields of a frame in decoding order; undefined unless they are of the same frame. */
export function joinFields(first: AnnexBUnit, second: AnnexBUnit): AnnexBUnit | undefined {
  const { field, ...frame } = first;
  if (field === undefined || second.field === undefined) return undefined;
  if (field.frame !== second.field.frame || field.bottom === second.field.bottom) return undefined;
  return { ...frame, bytes: concatenated([first.bytes, second.bytes]) };
}

/**
 * Brings the access units of one stream into Annex B form. It remembers the parameter sets that come
 * in the stream, so it must see every unit, in order.
 */
export class AnnexBWriter {
  readonly #codec: VideoCodec;
  /** Bytes of the length before each NAL unit; 0: start codes. */
  #lengthSize = 0;
  /** The newest different parameter sets, oldest first: of those with the same number the last one counts. */
  #sets: readonly Uint8Array[] = [];

  /** @param configuration what the container says of the codec: `avcC`, `hvcC` or Annex B; or nothing */
  constructor(codec: VideoCodec, configuration: Uint8Array = new Uint8Array()) {
    this.#codec = codec;
    this.configure(configuration);
  }

  /** Takes another configuration, which some containers bring between two keyframes. */
  configure(configuration: Uint8Array): void {
    if (configuration.length < 4) return;
    const record = configuration[0] === 1;
    if (record) this.#lengthSize = (configuration[this.#codec === "h264" ? 4 : 21]! & 3) + 1;
    const units = record ? setsIn(this.#codec, configuration) : nalUnits(configuration);
    this.#sets = [];
    this.#remember(units);
  }

  /** The parameter sets that stand before the next keyframe, one text for each combination. */
  get parameters(): string {
    return this.#sets.map((set) => set.toBase64()).join();
  }

  /** Whether FFmpeg can take an access unit. */
  accepts(data: Uint8Array): boolean {
    return !hasTooManyUnits(data, this.#lengthSize);
  }

  /**
   * The unit in Annex B form. Units that are so already keep every byte; a keyframe gets the parameter
   * sets that it lacks.
   *
   * @throws {BadFrameError} when it is not an access unit.
   */
  write(data: Uint8Array): AnnexBUnit {
    const bytes = this.#lengthSize === 0
      ? new Uint8Array(data)
      : joinedUnits([...lengthUnits(data, this.#lengthSize)], "start-code");
    const info = inspectAccessUnit(this.#codec, bytes);
    const { delimiter, parameterSets, type } = NAL_TYPES[this.#codec];
    const head = headUnits(this.#codec, bytes).map(({ nal }) => nal);
    const slices = head.pop()!;
    this.#remember(head);
    const field = this.#fieldOf(slices);
    const unit = field === undefined ? info : { ...info, field };
    if (!info.entry || info.keyframe) return { ...unit, bytes };
    const ofType = (nals: readonly Uint8Array[], kind: number) =>
      nals.filter((nal) => type(nal[0]!) === kind);
    const missing = parameterSets.filter((kind) => ofType(head, kind).length === 0)
      .flatMap((kind) => ofType(this.#sets, kind));
    // A delimiter stays first.
    const first = ofType(head, delimiter);
    const others = head.filter((nal) => type(nal[0]!) !== delimiter);
    const whole = joinedUnits([...first, ...missing, ...others, slices], "start-code");
    return { ...unit, ...inspectAccessUnit(this.#codec, whole), bytes: whole };
  }

  /** The field that all slices of an access unit belong to. */
  #fieldOf(slices: Uint8Array): Field | undefined {
    if (this.#codec !== "h264") return undefined;
    const { slice, sps, type } = NAL_TYPES.h264;
    const sequence = this.#sets.findLast((set) => type(set[0]!) === sps);
    const first = sequence && fieldOf(slices, sequence);
    if (first === undefined) return undefined;
    const others = [...nalUnits(slices)].filter((nal) => slice(type(nal[0]!)));
    const both = others.some((nal) => fieldOf(nal, sequence!)?.bottom !== first.bottom);
    return both ? undefined : first;
  }

  #remember(units: Iterable<Uint8Array>): void {
    const { parameterSets, type } = NAL_TYPES[this.#codec];
    for (const nal of units) {
      if (!parameterSets.includes(type(nal[0]!))) continue;
      const others = this.#sets.filter((set) => Buffer.compare(set, nal) !== 0);
      this.#sets = [...others, new Uint8Array(nal)].slice(-MOST_SETS);
    }
  }
}

/** The NAL units of a sample, each behind its length, too many at most. What is cut off ends with the bytes. */
function* lengthUnits(sample: Uint8Array, lengthSize: number): Generator<Uint8Array> {
  for (let at = 0, count = 0; at + lengthSize < sample.length && count <= MOST_NAL_UNITS; count++) {
    const length = numberAt(sample, at, lengthSize);
    at += lengthSize;
    if (length > 0) yield sample.subarray(at, at + length);
    at += length;
  }
}

/** The parameter sets in an `avcC` or `hvcC` record (ISO/IEC 14496-15, 5.3.3.1 and 8.3.3.1), as far as it goes. */
function* setsIn(codec: VideoCodec, record: Uint8Array): Generator<Uint8Array> {
  let at = codec === "h264" ? 5 : 22;
  const number = (length: number) => numberAt(record, (at += length) - length, length);
  for (let arrays = codec === "h264" ? 2 : number(1), array = 0; array < arrays; array++) {
    if (codec === "h265") at++; // their type
    const count = codec === "h265" ? number(2) : array === 0 ? number(1) & 0x1f : number(1);
    for (let index = 0; index < count && at < record.length; index++) {
      const length = number(2);
      const set = record.subarray(at, at += length);
      if (set.length > 0) yield set;
    }
  }
}
