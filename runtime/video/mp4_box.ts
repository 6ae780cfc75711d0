// Boxes: the building blocks of MP4 (ISO/IEC 14496-12).

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

/** A table of numbers of 16, 32 or 64 bits each, big-endian. */
export function column(bits: 16 | 32 | 64, length: number, at: (index: number) => number) {
  const bytes = new Uint8Array(length * bits / 8);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < length; i++) {
    const value = at(i);
    if (bits === 16) view.setUint16(2 * i, value);
    else if (bits === 32) view.setUint32(4 * i, value);
    else view.setBigUint64(8 * i, BigInt(value));
  }
  return bytes;
}

const numbers = (bits: 16 | 32 | 64) => (...given: readonly (number | readonly number[])[]) => {
  const all = given.flat();
  return column(bits, all.length, (i) => all[i]!);
};

/** Numbers of 16, 32 or 64 bits each, big-endian. */
export const u16 = numbers(16), u32 = numbers(32), u64 = numbers(64);

/** Characters as bytes. */
export function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
