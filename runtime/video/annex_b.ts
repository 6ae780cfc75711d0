// Access units on their way out of a container: start codes instead of lengths, parameter sets before
// each keyframe's slices. The way back is in `unit_copy.ts`.
import { Buffer } from "node:buffer";
import {
  type AccessUnit,
  checkUnitCount,
  headUnits,
  inspectAccessUnit,
  joinedUnits,
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
  const bytes = new Uint8Array(first.bytes.length + second.bytes.length);
  bytes.set(first.bytes);
  bytes.set(second.bytes, first.bytes.length);
  return { ...frame, bytes };
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
    const units = !record
      ? nalUnits(configuration)
      : this.#codec === "h264"
      ? avcSets(configuration)
      : hevcSets(configuration);
    this.#sets = [];
    this.#remember(units);
  }

  /** The parameter sets that stand before the next keyframe, one text for each combination. */
  get parameters(): string {
    return this.#sets.map((set) => set.toBase64()).join();
  }

  /** @throws {BadFrameError} when FFmpeg cannot take it: see `checkUnitCount`. */
  check(data: Uint8Array): void {
    checkUnitCount(data, this.#lengthSize);
  }

  /**
   * The unit in Annex B form. Units that are so already keep every byte; a keyframe gets the parameter
   * sets that it lacks.
   *
   * @throws {BadFrameError} when it is no access unit.
   */
  write(data: Uint8Array): AnnexBUnit {
    this.check(data);
    const bytes = this.#lengthSize === 0
      ? new Uint8Array(data)
      : joinedUnits([...lengthUnits(data, this.#lengthSize)], "start-code");
    const info = inspectAccessUnit(this.#codec, bytes);
    const { parameterSets, type } = NAL_TYPES[this.#codec];
    const head = [...headUnits(this.#codec, bytes)].map(({ nal }) => nal);
    const slices = head.pop()!;
    this.#remember(head);
    const field = this.#fieldOf(slices);
    const unit = field === undefined ? info : { ...info, field };
    if (!info.entry || info.keyframe) return { ...unit, bytes };
    const present = new Set(head.map((nal) => type(nal[0]!)));
    const missing = parameterSets.filter((kind) => !present.has(kind))
      .flatMap((kind) => this.#sets.filter((set) => type(set[0]!) === kind));
    const whole = this.#insert(bytes, head[0], missing);
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
    return others.every((nal) => fieldOf(nal, sequence!)?.bottom === first.bottom)
      ? first
      : undefined;
  }

  /** A delimiter stays first. */
  #insert(
    bytes: Uint8Array,
    first: Uint8Array | undefined,
    sets: readonly Uint8Array[],
  ): Uint8Array {
    const { type, delimiter } = NAL_TYPES[this.#codec];
    const at = first !== undefined && type(first[0]!) === delimiter
      ? first.byteOffset - bytes.byteOffset + first.length
      : 0;
    const added = joinedUnits(sets, "start-code");
    const whole = new Uint8Array(bytes.length + added.length);
    whole.set(bytes.subarray(0, at));
    whole.set(added, at);
    whole.set(bytes.subarray(at), at + added.length);
    return whole;
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

/** The NAL units of a sample, each behind its length. What is cut off ends with the bytes. */
function* lengthUnits(sample: Uint8Array, lengthSize: number): Generator<Uint8Array> {
  for (let at = 0; at + lengthSize < sample.length;) {
    const length = numberAt(sample, at, lengthSize);
    at += lengthSize;
    if (length > 0) yield sample.subarray(at, at + length);
    at += length;
  }
}

/** ISO/IEC 14496-15, 5.3.3.1: sequence parameter sets, then picture parameter sets. */
function* avcSets(record: Uint8Array): Generator<Uint8Array> {
  const reader = new SetReader(record, 5);
  yield* reader.sets(reader.byte() & 0x1f);
  yield* reader.sets(reader.byte());
}

/** ISO/IEC 14496-15, 8.3.3.1: arrays of NAL units, one for each type. */
function* hevcSets(record: Uint8Array): Generator<Uint8Array> {
  const reader = new SetReader(record, 22);
  for (let arrays = reader.byte(); arrays > 0; arrays--) {
    reader.byte();
    yield* reader.sets(reader.length());
  }
}

/** Reads counted units; a record that is cut off ends early. */
class SetReader {
  readonly #bytes: Uint8Array;
  #at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  byte(): number {
    return this.#bytes[this.#at++] ?? 0;
  }

  length(): number {
    return this.byte() * 256 + this.byte();
  }

  *sets(count: number): Generator<Uint8Array> {
    for (; count > 0 && this.#at < this.#bytes.length; count--) {
      const length = this.length();
      const set = this.#bytes.subarray(this.#at, this.#at += length);
      if (set.length > 0) yield set;
    }
  }
}
