// What the kernels need of a JPEG: baseline, one scan of all its components.
import { BadFrameError } from "../../definition/frame.ts";
import {
  APP0,
  APP14,
  DHT,
  DQT,
  hasText,
  type JpegComponent,
  readJpegHeaders,
  SOF2,
} from "../jpeg_headers.ts";
import { MAX_BLOCKS } from "./layout.ts";

/** A component with its tables, which are parts of the file. */
interface ScanComponent extends JpegComponent {
  /** 64 factors in zigzag order. */
  readonly factors: Uint8Array;
  /** 16 counts and the symbols. */
  readonly dc: Uint8Array;
  readonly ac: Uint8Array;
}

/** What is needed to decode. */
export interface JpegHeader {
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  readonly components: readonly ScanComponent[];
  /** Minimum coded units (MCUs) in a row, and rows of them. */
  readonly mcusAcross: number;
  readonly mcusDown: number;
  /** MCUs between two restart markers; 0 where there are none. */
  readonly restart: number;
  /** Where the codes begin. */
  readonly start: number;
  /** Luma and chroma of 4:2:0, which most cameras send. */
  readonly isYcc420: boolean;
  readonly hasStray: boolean;
}

/** Reads a header; undefined where it is of another kind or anything about it is odd. */
export function readJpegHeader(bytes: Uint8Array): JpegHeader | undefined {
  const factors: Uint8Array[] = [], tables: Uint8Array[] = [];
  let isJfif = false, isOdd = false;
  let headers;
  try {
    headers = readJpegHeaders(bytes, (marker, from, end) => {
      if (marker === DQT) isOdd ||= !splitFactors(bytes, from, end, factors);
      else if (marker === DHT) splitTables(bytes, from, end, tables);
      else if (marker === APP0) isJfif ||= hasText(bytes, "JFIF\0", from, end);
      else if (marker === APP14) {
        isOdd ||= hasText(bytes, "Adobe", from, end) && (end - from < 12 || bytes[from + 11] !== 1);
      }
    });
  } catch (error) {
    if (error instanceof BadFrameError) return undefined;
    throw error;
  }
  const { process, width, height, scan, restart, start, stray } = headers;
  const count = headers.components.length;
  // All components, all coefficients, all bits.
  if (isOdd || process >= SOF2 || bytes[scan] !== count) return undefined;
  const last = scan + 1 + 2 * count;
  if (bytes[last] !== 0 || bytes[last + 1] !== 63 || bytes[last + 2] !== 0) return undefined;
  const components: ScanComponent[] = [];
  let blocks = 0;
  for (const [i, component] of headers.components.entries()) {
    const ids = bytes[scan + 2 + 2 * i]!;
    const dc = tables[ids >> 4], ac = tables[16 + (ids & 15)];
    const own = factors[component.quantizer];
    if (bytes[scan + 1 + 2 * i] !== component.id || !own || !dc || !ac) return undefined;
    blocks += component.across * component.down;
    components.push({ ...component, factors: own, dc, ac });
  }
  if (blocks > MAX_BLOCKS && count > 1) return undefined;
  // A scan of one component has its blocks one by one.
  const across = count === 1 ? 1 : Math.max(...components.map((one) => one.across));
  const down = count === 1 ? 1 : Math.max(...components.map((one) => one.down));
  return {
    width,
    height,
    components,
    mcusAcross: Math.ceil(width / (8 * across)),
    mcusDown: Math.ceil(height / (8 * down)),
    restart,
    start,
    isYcc420: isYcc420(components, isJfif),
    hasStray: stray.length > 0,
  };
}

function isYcc420(components: readonly JpegComponent[], isJfif: boolean): boolean {
  return components.length === 3 && components.every(({ id, across, down }, i) => {
    // With other numbers, and no marker of luma and chroma, they may be anything.
    const side = i === 0 ? 2 : 1;
    return across === side && down === side && (isJfif || id === i + 1);
  });
}

/** False for factors of 16 bits, which no baseline JPEG has. */
function splitFactors(bytes: Uint8Array, from: number, end: number, to: Uint8Array[]): boolean {
  for (let at = from; at < end; at += 65) {
    if (bytes[at]! > 3) return false;
    to[bytes[at]!] = bytes.subarray(at + 1, at + 65);
  }
  return true;
}

/** Tables for DC have the numbers 0 to 3, those for AC 16 to 19. */
function splitTables(bytes: Uint8Array, from: number, end: number, to: Uint8Array[]): void {
  for (let at = from; at < end;) {
    let next = at + 17;
    for (let length = 1; length <= 16; length++) next += bytes[at + length]!;
    to[bytes[at]!] = bytes.subarray(at + 1, next);
    at = next;
  }
}
