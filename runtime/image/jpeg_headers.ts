// Reads a JPEG's segments up to its first scan. Every length is validated where it is read.
import { refusal } from "./flaws.ts";

/** Markers of the JPEG standard (second byte). */
export const SOF0 = 0xc0, SOF2 = 0xc2, DHT = 0xc4, RST0 = 0xd0, SOI = 0xd8, EOI = 0xd9;
export const SOS = 0xda, DQT = 0xdb, DNL = 0xdc, DRI = 0xdd, APP0 = 0xe0, APP1 = 0xe1, APP14 = 0xee;
const TEM = 0x01, JPG = 0xc8, DAC = 0xcc, APP15 = 0xef, COM = 0xfe;

/** Before the picture; the longest colour profile takes 255 of them. */
const MOST_MARKERS = 4_096;

/** A component of the frame header. */
export interface JpegComponent {
  readonly id: number;
  /** Sampling factors: blocks per minimum coded unit, horizontally and vertically. */
  readonly across: number;
  readonly down: number;
  readonly quantizer: number;
}

/** Contents of the headers. */
export interface JpegHeaders {
  /** Start-of-frame marker: baseline 0xc0, extended 0xc1, progressive 0xc2. */
  readonly process: number;
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  readonly components: readonly JpegComponent[];
  /** Minimum coded units between two restart markers; 0 without restart markers. */
  readonly restart: number;
  /** Offset of the first scan's header, after its length, and of its codes. */
  readonly scan: number;
  readonly start: number;
  /** Bytes that belong to no segment, as pairs: from, to. */
  readonly stray: readonly number[];
}

/** Receives each segment before the first scan: its content begins at `from` and ends before `end`. */
export type SegmentVisitor = (marker: number, from: number, end: number) => void;

/**
 * Reads a JPEG's headers.
 *
 * @param visit receives the segments that are not part of the result: tables, APPn, comments
 * @throws {BadFrameError} if they are damaged, truncated or use an unsupported coding
 */
export function readJpegHeaders(bytes: Uint8Array, visit: SegmentVisitor = () => {}): JpegHeaders {
  if (bytes[0] !== 0xff || bytes[1] !== SOI) {
    throw refusal("stray-before-start", unreadable("it does not begin with a start marker"));
  }
  const stray: number[] = [];
  let frame: Omit<JpegHeaders, "restart" | "scan" | "start" | "stray"> | undefined;
  let restart = 0;
  for (let at = 2, markers = 0;; markers++) {
    if (markers > MOST_MARKERS) {
      throw refusal("work", unreadable(`it has more than ${MOST_MARKERS} segments`));
    }
    const from = at;
    at = nextMarker(bytes, at);
    if (at > from) stray.push(from, at);
    while (bytes[at + 1] === 0xff) at++; // fill bytes
    const marker = bytes[at + 1];
    if (marker === undefined) throw refusal("cut", unreadable("it ends inside its headers"));
    at += 2;
    if (marker === TEM || (marker >= RST0 && marker < SOI)) continue;
    if (marker === EOI) throw refusal("cut", unreadable("it ends before its picture"));
    if (marker === SOI) throw refusal("segment", unreadable("it has two start markers"));
    const length = bytes.length - at < 2 ? NaN : bytes[at]! << 8 | bytes[at + 1]!;
    if (length < 2) throw damaged(marker, "its length is below 2");
    if (!(at + length <= bytes.length)) {
      throw refusal("cut", unreadable("it ends inside its headers"));
    }
    const start = at + 2, end = at + length;
    at = end;
    if (marker === SOS) {
      if (frame === undefined) {
        throw refusal("segment", unreadable("its picture begins before its size is known"));
      }
      const count = length < 3 ? 0 : bytes[start]!;
      if (count < 1 || count > 4 || length !== 6 + 2 * count) throw damaged(marker);
      return { ...frame, restart, scan: start, start: end, stray };
    }
    if (isStartOfFrame(marker)) {
      if (frame !== undefined) throw refusal("segment", unreadable("it has two frame headers"));
      frame = readFrame(marker, bytes, start, end);
    } else if (marker === DRI) {
      if (length !== 4) throw damaged(marker);
      restart = bytes[start]! << 8 | bytes[start + 1]!;
    } else if (marker === DHT) {
      if (!isHuffman(bytes, start, end)) throw damaged(marker);
      visit(marker, start, end);
    } else if (marker === DQT) {
      if (!isQuantization(bytes, start, end)) throw damaged(marker);
      visit(marker, start, end);
    } else if (marker === DAC) throw unsupported("arithmetic coding");
    else if ((marker < APP0 && marker !== DNL) || (marker > APP15 && marker !== COM)) {
      throw unsupported(`marker ff ${marker.toString(16)}`);
    } else visit(marker, start, end);
  }
}

export interface JpegScans {
  readonly scans: number;
  /** Offset after the end marker; undefined if there is none. */
  readonly end: number | undefined;
}

/** Counts the scans including the first, up to `most` + 1. */
export function countScans(bytes: Uint8Array, start: number, most: number): JpegScans {
  let scans = 1;
  // Byte by byte: a file made of markers must not cost more than any other.
  let before = 0;
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (before === 0xff) {
      if (byte === EOI) return { scans, end: at + 1 };
      if (byte === SOS && ++scans > most) break;
    }
    before = byte;
  }
  return { scans, end: undefined };
}

/** The offset of the next marker, skipping other bytes. */
function nextMarker(bytes: Uint8Array, at: number): number {
  while (at < bytes.length) {
    if (bytes[at] === 0xff) {
      let code = at + 1;
      while (bytes[code] === 0xff) code++;
      if (bytes[code] !== 0) return at;
      at = code;
    }
    at++;
  }
  return at;
}

function isStartOfFrame(marker: number): boolean {
  return marker >= SOF0 && marker <= 0xcf && marker !== DHT && marker !== JPG && marker !== DAC;
}

function readFrame(process: number, bytes: Uint8Array, from: number, end: number) {
  if (end - from < 6) throw damaged(process);
  if (process > SOF2) throw unsupported(`coding process ${process - SOF0}`);
  if (bytes[from] !== 8) throw unsupported(`${bytes[from]} bits per sample`);
  const count = bytes[from + 5]!;
  if (count === 0 || end - from !== 6 + 3 * count) throw damaged(process);
  if (count === 2 || count > 4) throw unsupported(`${count} components`);
  const height = bytes[from + 1]! << 8 | bytes[from + 2]!;
  const width = bytes[from + 3]! << 8 | bytes[from + 4]!;
  if (height === 0) {
    throw refusal("height-missing", unreadable("its size is unknown before its picture ends"));
  }
  if (width === 0) throw refusal("segment", unreadable(`its size is ${width}x${height}`));
  const components: JpegComponent[] = [];
  for (let at = from + 6; at < end; at += 3) {
    const across = bytes[at + 1]! >> 4, down = bytes[at + 1]! & 15;
    if (across < 1 || across > 4 || down < 1 || down > 4) throw damaged(process);
    components.push({ id: bytes[at]!, across, down, quantizer: bytes[at + 2]! });
  }
  return { process, width, height, components };
}

/** Whether valid Huffman tables fill the segment. */
function isHuffman(bytes: Uint8Array, from: number, end: number): boolean {
  let at = from;
  while (at < end) {
    if ((bytes[at]! & 0xef) > 3 || at + 17 > end) return false;
    let symbols = 0, space = 0;
    for (let length = 1; length <= 16; length++) {
      symbols += bytes[at + length]!;
      space = 2 * space + bytes[at + length]!;
      if (space > 1 << length) return false;
    }
    if (symbols > 256) return false;
    at += 17 + symbols;
  }
  return at === end;
}

/** Whether valid quantisation tables fill the segment. */
function isQuantization(bytes: Uint8Array, from: number, end: number): boolean {
  let at = from;
  while (at < end) {
    const precision = bytes[at]! >> 4;
    if (precision > 1 || (bytes[at]! & 15) > 3) return false;
    at += 65 + 64 * precision;
  }
  return at === end;
}

/** Whether the text begins at `at` and ends before `end`. */
export function hasText(bytes: Uint8Array, text: string, at: number, end: number): boolean {
  if (at + text.length > end) return false;
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false;
  return true;
}

function damaged(marker: number, why = "its length and its content disagree") {
  return refusal("segment", unreadable(`of segment ff ${marker.toString(16)} ${why}`));
}

function unsupported(what: string) {
  return refusal(
    "coding",
    `Cannot accept a JPEG of ${what}: baseline and progressive ones of 8 bits and 1, 3 or 4 ` +
      "components are accepted",
  );
}

function unreadable(why: string): string {
  return `Cannot read the headers of the jpeg image: ${why}`;
}
