/**
 * Boxes: the building blocks of MP4 (ISO/IEC 14496-12).
 *
 * @module
 */

/** What a box may hold. */
export type BoxPart = Uint8Array | readonly number[];

/** A box of some type with its parts, in order. */
export function box(type: string, ...parts: readonly BoxPart[]): Uint8Array {
  const size = parts.reduce((sum, { length }) => sum + length, 8);
  const bytes = new Uint8Array(size);
  new DataView(bytes.buffer).setUint32(0, size);
  for (let i = 0; i < 4; i++) bytes[4 + i] = type.charCodeAt(i);
  let position = 8;
  for (const part of parts) {
    bytes.set(part, position);
    position += part.length;
  }
  return bytes;
}

/** A box with version and flags. */
export function fullBox(
  type: string,
  version: number,
  flags: number,
  ...parts: readonly BoxPart[]
): Uint8Array {
  return box(type, [version, flags >> 16 & 255, flags >> 8 & 255, flags & 255], ...parts);
}

/** Numbers as 32 bits each, big-endian. */
export function u32(...given: readonly (number | readonly number[])[]): Uint8Array {
  const numbers = given.flat();
  const bytes = new Uint8Array(4 * numbers.length);
  const view = new DataView(bytes.buffer);
  numbers.forEach((number, index) => view.setUint32(4 * index, number));
  return bytes;
}

/** Numbers as 64 bits each, big-endian. */
export function u64(...given: readonly (number | readonly number[])[]): Uint8Array {
  const numbers = given.flat();
  const bytes = new Uint8Array(8 * numbers.length);
  const view = new DataView(bytes.buffer);
  numbers.forEach((number, index) => view.setBigUint64(8 * index, BigInt(number)));
  return bytes;
}

/** Numbers as 16 bits each, big-endian. */
export function u16(...given: readonly (number | readonly number[])[]): Uint8Array {
  const numbers = given.flat();
  const bytes = new Uint8Array(2 * numbers.length);
  const view = new DataView(bytes.buffer);
  numbers.forEach((number, index) => view.setUint16(2 * index, number));
  return bytes;
}

/** A table of 32-bit numbers. */
export function column32(length: number, at: (index: number) => number): Uint8Array {
  const bytes = new Uint8Array(4 * length);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < length; i++) view.setUint32(4 * i, at(i));
  return bytes;
}

/** A table of 64-bit numbers. */
export function column64(length: number, at: (index: number) => number): Uint8Array {
  const bytes = new Uint8Array(8 * length);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < length; i++) view.setBigUint64(8 * i, BigInt(at(i)));
  return bytes;
}

/** Characters as bytes. */
export function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
