/**
 * What a JPEG says before its codes, where it is of the kind that the kernels decode: baseline, 4:2:0,
 * one scan. Most cameras send nothing else.
 *
 * @module
 */

/** What is needed to decode; arrays are parts of the file. */
export interface JpegHeader {
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  /** For each component 64 factors in zigzag order, and its tables: 16 counts and the symbols. */
  readonly components: readonly {
    readonly factors: Uint8Array;
    readonly dc: Uint8Array;
    readonly ac: Uint8Array;
  }[];
  /** Units between two restart markers; 0 when there are none. */
  readonly restart: number;
  /** Where the codes begin. */
  readonly start: number;
}

const SOI = 0xd8, SOF0 = 0xc0, SOF1 = 0xc1, DHT = 0xc4, DQT = 0xdb, DRI = 0xdd, SOS = 0xda;
const APP0 = 0xe0, APP14 = 0xee, COM = 0xfe;
const SAMPLING = [0x22, 0x11, 0x11];

/** Reads a header; undefined where it is of another kind or anything about it is odd. */
export function readJpegHeader(bytes: Uint8Array): JpegHeader | undefined {
  if (bytes[0] !== 0xff || bytes[1] !== SOI) return undefined;
  const factors: Uint8Array[] = [], tables: Uint8Array[] = [];
  let frame: Uint8Array | undefined;
  let restart = 0;
  let isYcc = false;
  for (let at = 2; at + 4 <= bytes.length;) {
    const marker = bytes[at + 1]!;
    const length = (bytes[at + 2]! << 8) + bytes[at + 3]!;
    const end = at + 2 + length;
    if (bytes[at] !== 0xff || length < 2 || end > bytes.length) return undefined;
    const content = bytes.subarray(at + 4, end);
    at = end;
    if (marker === DQT) {
      if (!splitFactors(content, factors)) return undefined;
    } else if (marker === DHT) {
      if (!splitTables(content, tables)) return undefined;
    } else if (marker === SOF0 || marker === SOF1) {
      if (frame !== undefined || content.length !== 15) return undefined;
      frame = content;
    } else if (marker === DRI) {
      if (content.length !== 2) return undefined;
      restart = (content[0]! << 8) + content[1]!;
    } else if (marker === APP14) {
      if (startsWith(content, "Adobe") && content[11] !== 1) return undefined;
    } else if (marker === SOS) {
      if (frame === undefined) return undefined;
      return withScan({ frame, scan: content, factors, tables, restart, isYcc, start: end });
    } else if (marker === APP0) isYcc ||= startsWith(content, "JFIF\0");
    else if (!(marker > APP0 && marker < APP14 + 2) && marker !== COM) return undefined;
  }
  return undefined;
}

function startsWith(bytes: Uint8Array, text: string): boolean {
  return [...text].every((letter, i) => bytes[i] === letter.charCodeAt(0));
}

function splitFactors(content: Uint8Array, to: Uint8Array[]): boolean {
  for (let at = 0; at < content.length; at += 65) {
    const id = content[at]!;
    if (id > 3 || at + 65 > content.length) return false;
    to[id] = content.subarray(at + 1, at + 65);
  }
  return true;
}

/** Tables for DC have the numbers 0 to 3, those for AC 16 to 19. */
function splitTables(content: Uint8Array, to: Uint8Array[]): boolean {
  for (let at = 0; at < content.length;) {
    const id = content[at]!;
    if ((id & 0xef) > 3 || at + 17 > content.length) return false;
    const symbols = content.subarray(at + 1, at + 17).reduce((sum, count) => sum + count, 0);
    const end = at + 17 + symbols;
    if (symbols > 256 || end > content.length) return false;
    to[id] = content.subarray(at + 1, end);
    at = end;
  }
  return true;
}

function withScan({ frame, scan, factors, tables, restart, isYcc, start }: {
  readonly frame: Uint8Array;
  readonly scan: Uint8Array;
  readonly factors: readonly Uint8Array[];
  readonly tables: readonly Uint8Array[];
  readonly restart: number;
  readonly isYcc: boolean;
  readonly start: number;
}): JpegHeader | undefined {
  const height = (frame[1]! << 8) + frame[2]!, width = (frame[3]! << 8) + frame[4]!;
  if (frame[0] !== 8 || frame[5] !== 3 || width === 0 || height === 0) return undefined;
  // One scan of all components, of all coefficients with all their bits.
  if (scan.length !== 10 || scan[0] !== 3) return undefined;
  if (scan[7] !== 0 || scan[8] !== 63 || scan[9] !== 0) return undefined;
  const components: JpegHeader["components"][number][] = [];
  for (let i = 0; i < 3; i++) {
    const id = frame[6 + 3 * i]!;
    if (scan[1 + 2 * i] !== id || frame[7 + 3 * i] !== SAMPLING[i]) return undefined;
    // Numbered otherwise, and not said to be luma and chroma, they may be anything.
    if (!isYcc && id !== i + 1) return undefined;
    const tableIds = scan[2 + 2 * i]!;
    const own = factors[frame[8 + 3 * i]!];
    const dc = tables[tableIds >> 4], ac = tables[16 + (tableIds & 15)];
    if (own === undefined || dc === undefined || ac === undefined) return undefined;
    components.push({ factors: own, dc, ac });
  }
  return { width, height, components, restart, start };
}
