/**
 * What an encoded image says about itself: type, size, orientation. Reads headers only.
 *
 * @module
 */
import { BadFrameError } from "../definition/frame.ts";

/** An encoding that Framelane accepts. */
export type ImageType = "jpeg" | "png" | "webp";

/** What the headers of an encoded image say. */
export interface ImageInfo {
  readonly type: ImageType;
  /** `image/jpeg`, `image/png` or `image/webp`. */
  readonly contentType: string;
  /** Pixels, as stored: an orientation is not applied. */
  readonly width: number;
  readonly height: number;
  /** Colour components as stored; for WebP, whose headers do not say, it is absent. */
  readonly components?: number;
  /** EXIF orientation of a JPEG, 1 (upright) to 8; absent when it carries none. */
  readonly orientation?: number;
  /** True for a progressive JPEG. */
  readonly progressive?: boolean;
}

/** Bounds on what is worth decoding. */
export interface ImageLimits {
  /** Most pixels of an image. */
  readonly maxPixels?: number;
  /** Most bytes of an encoded image. */
  readonly maxBytes?: number;
}

/** 64 megapixels: beyond any camera, and 192 MB when decoded to RGB. Small files may hold less. */
export const DEFAULT_MAX_PIXELS = 64_000_000;
/** 64 MiB. */
export const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;

/** What an image may take of memory while it is decoded, however few bytes it has. */
const UNPACKED_BYTES = 24 * 1024 * 1024;
/** An image that takes more must have cost its maker something: no photograph packs so many pixels. */
const MOST_PIXELS_A_BYTE = 32;

/**
 * A hostile progressive JPEG repeats tiny scans, each of which costs a pass over all pixels. Real
 * ones have about ten.
 */
const MAX_SCANS = 100;

const CONTENT_TYPES = { jpeg: "image/jpeg", png: "image/png", webp: "image/webp" } as const;

/**
 * Says of which type and size an encoded image is. Trusts the bytes, not a `content-type` header.
 *
 * @param bytes the encoded image; neither copied nor kept
 * @throws {BadFrameError} with reason `empty`, `unsupported-type`, `corrupt` (the header cannot be
 * read) or `too-large`; never anything else.
 *
 * @example
 * ```ts
 * import { inspectImage } from "./inspect.ts";
 *
 * const { type, width, height } = inspectImage(Deno.readFileSync("frame.jpg"));
 * console.log(`${type} of ${width}x${height} pixels`);
 * ```
 */
export function inspectImage(bytes: Uint8Array, limits: ImageLimits = {}): ImageInfo {
  const { maxPixels = DEFAULT_MAX_PIXELS, maxBytes = DEFAULT_MAX_BYTES } = limits;
  if (bytes.length === 0) throw new BadFrameError("empty", "Cannot read the image: it is empty");
  if (bytes.length > maxBytes) {
    throw new BadFrameError(
      "too-large",
      `Cannot take an image of ${bytes.length} bytes: at most ${maxBytes} are accepted`,
    );
  }
  const info = readHeader(bytes);
  if (info.width === 0 || info.height === 0) {
    throw corrupt(info.type, `its size is ${info.width}x${info.height}`);
  }
  if (info.width * info.height > maxPixels) {
    throw new BadFrameError(
      "too-large",
      `Cannot take an image of ${info.width}x${info.height} pixels: ` +
        `at most ${maxPixels} pixels are accepted`,
    );
  }
  checkRatio(info, bytes.length);
  return info;
}

/** Refuses what is small and unpacks to a lot. */
function checkRatio(info: ImageInfo, bytes: number): void {
  const pixels = info.width * info.height;
  if (pixels * bytesToDecode(info) <= UNPACKED_BYTES || pixels <= bytes * MOST_PIXELS_A_BYTE) {
    return;
  }
  throw new BadFrameError(
    "too-large",
    `Cannot take an image of ${info.width}x${info.height} pixels in ${bytes} bytes: ` +
      `at most ${MOST_PIXELS_A_BYTE} pixels a byte are accepted of one so large`,
  );
}

/** Memory that decoders take for a pixel, at most: the picture, and what they keep until it is whole. */
function bytesToDecode({ type, progressive, components = 3 }: ImageInfo): number {
  if (type === "jpeg") return progressive ? 3 + 2 * components : 3;
  // All of WebP, and of PNG when interlaced, is unpacked before the first row is known.
  return type === "webp" ? 16 : 8;
}

function readHeader(bytes: Uint8Array): ImageInfo {
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return readJpeg(bytes);
  if (startsWith(bytes, 0, PNG_SIGNATURE)) return readPng(bytes);
  if (startsWith(bytes, 0, RIFF) && startsWith(bytes, 8, WEBP)) return readWebp(bytes);
  throw new BadFrameError(
    "unsupported-type",
    `Cannot tell the type of an image that begins with ${hex(bytes)}: ` +
      "JPEG, PNG and WebP are accepted",
  );
}

const PNG_SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const IHDR = [0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52];
const RIFF = [0x52, 0x49, 0x46, 0x46];
const WEBP = [0x57, 0x45, 0x42, 0x50];
const EXIF = [0x45, 0x78, 0x69, 0x66, 0, 0];

function readJpeg(bytes: Uint8Array): ImageInfo {
  let frame: { width: number; height: number; components: number; marker: number } | undefined;
  let orientation: number | undefined;
  let at = 2;
  while (at < bytes.length) {
    if (bytes[at] !== 0xff) throw corrupt("jpeg", `no marker at byte ${at}`);
    const marker = bytes[at + 1];
    at += 2;
    if (marker === 0xff) { // a fill byte
      at--;
      continue;
    }
    if (marker === 0x01 || (marker !== undefined && marker >= 0xd0 && marker <= 0xd8)) continue;
    if (marker === 0xd9) throw corrupt("jpeg", "it ends before its picture");
    const length = u16(bytes, at);
    if (marker === undefined || !(length >= 2) || at + length > bytes.length) break;
    if (marker === 0xda) { // start of scan: the headers are over
      if (frame === undefined) throw corrupt("jpeg", "its picture begins before its size is known");
      const progressive = frame.marker === 0xc2;
      if (progressive) checkScans(bytes, at);
      return {
        type: "jpeg",
        contentType: CONTENT_TYPES.jpeg,
        width: frame.width,
        height: frame.height,
        components: frame.components,
        ...(orientation === undefined ? {} : { orientation }),
        progressive,
      };
    }
    if (isStartOfFrame(marker)) {
      if (length < 8) throw corrupt("jpeg", "its frame header is too short");
      checkCoding(marker, bytes[at + 2]!);
      const components = bytes[at + 7]!;
      if (length !== 8 + 3 * components || components === 0) {
        throw corrupt("jpeg", `its frame header of ${length} bytes names ${components} components`);
      }
      frame = { height: u16(bytes, at + 3), width: u16(bytes, at + 5), components, marker };
    } else if (marker === 0xe1 && startsWith(bytes, at + 2, EXIF)) {
      orientation = readOrientation(bytes.subarray(at + 8, at + length)) ?? orientation;
    }
    at += length;
  }
  throw corrupt("jpeg", "it ends inside its headers");
}

function isStartOfFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf &&
    marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

function checkCoding(marker: number, precision: number): void {
  if (marker <= 0xc2 && precision === 8) return;
  const coding = marker <= 0xc2 ? `${precision} bits a sample` : `coding process ${marker - 0xc0}`;
  throw new BadFrameError(
    "unsupported-type",
    `Cannot take a JPEG of ${coding}: baseline and progressive ones of 8 bits are accepted`,
  );
}

function checkScans(bytes: Uint8Array, from: number): void {
  let scans = 1;
  for (let at = bytes.indexOf(0xff, from); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    if (bytes[at + 1] === 0xda && ++scans > MAX_SCANS) {
      throw new BadFrameError(
        "too-large",
        `Cannot take a progressive JPEG of more than ${MAX_SCANS} scans`,
      );
    }
  }
}

/** Reads the orientation of a TIFF directory, undefined where there is none that makes sense. */
function readOrientation(tiff: Uint8Array): number | undefined {
  const little = tiff[0] === 0x49;
  const short = (at: number) => little ? u16le(tiff, at) : u16(tiff, at);
  const directory = little
    ? u16le(tiff, 4) + 65_536 * u16le(tiff, 6)
    : u16(tiff, 6) + 65_536 * u16(tiff, 4);
  const entries = short(directory);
  if (Number.isNaN(entries)) return undefined;
  for (let entry = 0; entry < entries; entry++) {
    const at = directory + 2 + 12 * entry;
    if (at + 12 > tiff.length) return undefined;
    if (short(at) === 0x0112) {
      const value = short(at + 8);
      return value >= 1 && value <= 8 ? value : undefined;
    }
  }
  return undefined;
}

/** Samples a pixel by PNG colour type; a palette holds colours. */
const PNG_COMPONENTS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 3, 4: 2, 6: 4 };

function readPng(bytes: Uint8Array): ImageInfo {
  if (bytes.length < 33 || !startsWith(bytes, 8, IHDR)) {
    throw corrupt("png", "it ends inside its headers");
  }
  const components = PNG_COMPONENTS[bytes[25]!];
  if (components === undefined) throw corrupt("png", `its colour type is ${bytes[25]}`);
  return {
    type: "png",
    contentType: CONTENT_TYPES.png,
    width: u16(bytes, 16) * 65_536 + u16(bytes, 18),
    height: u16(bytes, 20) * 65_536 + u16(bytes, 22),
    components,
  };
}

function readWebp(bytes: Uint8Array): ImageInfo {
  const size = webpSize(bytes);
  if (size === undefined) throw corrupt("webp", "its header cannot be read");
  return { type: "webp", contentType: CONTENT_TYPES.webp, width: size[0], height: size[1] };
}

function webpSize(bytes: Uint8Array): [number, number] | undefined {
  if (bytes.length < 30) return undefined;
  const chunk = String.fromCharCode(...bytes.subarray(12, 16));
  if (chunk === "VP8 " && startsWith(bytes, 23, [0x9d, 0x01, 0x2a])) {
    return [u16le(bytes, 26) & 0x3fff, u16le(bytes, 28) & 0x3fff];
  }
  if (chunk === "VP8L" && bytes[20] === 0x2f) {
    const bits = u16le(bytes, 21) + 65_536 * u16le(bytes, 23);
    return [1 + (bits & 0x3fff), 1 + ((bits >>> 14) & 0x3fff)];
  }
  if (chunk === "VP8X") {
    return [
      1 + u16le(bytes, 24) + 65_536 * bytes[26]!,
      1 + u16le(bytes, 27) + 65_536 * bytes[29]!,
    ];
  }
  return undefined;
}

/** Big-endian; NaN beyond the end. */
function u16(bytes: Uint8Array, at: number): number {
  return at + 1 < bytes.length ? bytes[at]! * 256 + bytes[at + 1]! : NaN;
}

/** Little-endian; NaN beyond the end. */
function u16le(bytes: Uint8Array, at: number): number {
  return at + 1 < bytes.length ? bytes[at + 1]! * 256 + bytes[at]! : NaN;
}

function startsWith(bytes: Uint8Array, at: number, start: readonly number[]): boolean {
  for (let i = 0; i < start.length; i++) if (bytes[at + i] !== start[i]) return false;
  return true;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

function corrupt(type: ImageType, why: string): BadFrameError {
  return new BadFrameError("corrupt", `Cannot read the headers of the ${type} image: ${why}`);
}
