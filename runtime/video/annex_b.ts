// Access units on their way out of a container: start codes instead of lengths, parameter sets before
// each keyframe's slices. The way back is in `unit_copy.ts`.
import {
  type AccessUnit,
  headUnits,
  inspectAccessUnit,
  joinedUnits,
  NAL_TYPES,
  nalUnits,
  type VideoCodec,
} from "./access_unit.ts";

/** An access unit in Annex B form. */
export interface AnnexBUnit extends AccessUnit {
  /** On memory of its own. */
  readonly bytes: Uint8Array;
}

/**
 * Brings the access units of one stream into Annex B form. It remembers the parameter sets that come
 * in the stream, so it must see every unit, in order.
 */
export class AnnexBWriter {
  readonly #codec: VideoCodec;
  /** Bytes of the length before each NAL unit; 0: start codes. */
  #lengthSize = 0;
  /** The last ones of each type. */
  readonly #sets = new Map<number, readonly Uint8Array[]>();

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
    this.#remember([...units]);
  }

  /** The parameter sets that stand before the next keyframe, one text for each combination. */
  get parameters(): string {
    return [...this.#sets.values()].flat().map((set) => set.toBase64()).join();
  }

  /**
   * The unit in Annex B form. Units that are so already keep every byte; a keyframe gets the parameter
   * sets that it lacks.
   *
   * @throws {BadFrameError} when it is no access unit.
   */
  write(unit: Uint8Array): AnnexBUnit {
    const bytes = this.#lengthSize === 0
      ? new Uint8Array(unit)
      : joinedUnits([...lengthUnits(unit, this.#lengthSize)], "start-code");
    const info = inspectAccessUnit(this.#codec, bytes);
    const { parameterSets, type } = NAL_TYPES[this.#codec];
    const before = [...headUnits(this.#codec, bytes)].slice(0, -1).map(({ nal }) => nal);
    this.#remember(before);
    if (!info.entry || info.keyframe) return { ...info, bytes };
    const present = new Set(before.map((nal) => type(nal[0]!)));
    const missing = parameterSets.filter((set) => !present.has(set))
      .flatMap((set) => this.#sets.get(set) ?? []);
    const whole = this.#insert(bytes, before[0], missing);
    return { ...inspectAccessUnit(this.#codec, whole), bytes: whole };
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

  #remember(units: readonly Uint8Array[]): void {
    const { parameterSets, type } = NAL_TYPES[this.#codec];
    for (const set of parameterSets) {
      const found = units.filter((unit) => type(unit[0]!) === set);
      if (found.length > 0) this.#sets.set(set, found.map((unit) => new Uint8Array(unit)));
    }
  }
}

/** The NAL units of a sample, each behind its length. What is cut off ends with the bytes. */
function* lengthUnits(sample: Uint8Array, lengthSize: number): Generator<Uint8Array> {
  for (let at = 0; at + lengthSize < sample.length;) {
    let length = 0;
    for (let i = 0; i < lengthSize; i++) length = length * 256 + sample[at++]!;
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
