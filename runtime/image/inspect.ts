// Reads type, size and orientation from the headers of an encoded image.
import { ownWork } from "../base/own_work.ts";
import { BadFrameError } from "../definition/frame.ts";
import { type Flaw, refusal } from "./flaws.ts";
import { APP1, countScans, hasText, readJpegHeaders, SOF2 } from "./jpeg_headers.ts";
import { repairableFlaws } from "./kernels/repair.ts";
import { isPng } from "./png.ts";
import { MAX_SCANS } from "./turbojpeg.ts";

/** An encoding that Framelane accepts. */
export type ImageType = "jpeg" | "png" | "webp";

/** What the headers of an encoded image contain. */
export interface ImageInfo {
  readonly type: ImageType;
  /** `image/jpeg`, `image/png` or `image/webp`. */
  readonly contentType: string;
  /** Pixels as stored: an orientation is not applied. */
  readonly width: number;
  readonly height: number;
  /** Colour components as stored; absent for WebP, whose headers do not contain it. */
  readonly components?: number;
  /** EXIF orientation of a JPEG, 1 (upright) to 8; absent if it has none. */
  readonly orientation?: number;
  /** True for a progressive JPEG. */
  readonly progressive?: boolean;
  /** Flaws that decoding repairs; absent if the headers show none. */
  readonly flaws?: readonly Flaw[];
}

/** 64 megapixels: beyond any camera, and 192 MB when decoded to RGB. */
export const DEFAULT_MAX_PIXELS = 64_000_000;
/** The limit of libjpeg. Each row costs 1 µs in addition to its pixels: a one-column PNG took a minute. */
const MAX_SIDE = 65_500;
/** 64 MiB. */
export const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;

/** Maximum memory for decoding an image, since a night scene has few bytes per pixel. */
const MAX_DECODING_BYTES = 512 * 1024 * 1024;

/** Pixels times scans: each scan is a pass over all pixels, at 5 ns each. */
const MAX_WORK = 4 * DEFAULT_MAX_PIXELS;

/**
 * Checks that an image is not too large for Framelane.
 *
 * @throws {BadFrameError} `too-large`
 */
export function checkSize({ width, height }: Pick<ImageInfo, "width" | "height">): void {
  if (width * height <= DEFAULT_MAX_PIXELS && Math.max(width, height) <= MAX_SIDE) return;
  throw new BadFrameError(
    "too-large",
    `Cannot accept an image of ${width}x${height} pixels: ` +
      `at most ${DEFAULT_MAX_PIXELS} pixels are accepted, ${MAX_SIDE} on a side`,
  );
}

/**
 * Determines type and size of an encoded image from its bytes; ignores any `content-type` header.
 *
 * @param bytes the encoded image; neither copied nor kept
 * @param options.codes false checks only the headers, to show truncated JPEGs
 * @throws {BadFrameError} with reason `empty`, `unsupported-type`, `corrupt` (invalid header) or `too-large`;
 * nothing else
 *
 * @example
 * ```ts
 * import { inspectImage } from "./inspect.ts";
 *
 * const { type, width, height } = inspectImage(Deno.readFileSync("frame.jpg"));
 * console.log(`${type} of ${width}x${height} pixels`);
 * ```
 */
export function inspectImage(
  bytes: Uint8Array,
  { codes = true }: { readonly codes?: boolean } = {},
): ImageInfo {
  if (bytes.length === 0) throw new BadFrameError("empty", "Cannot read the image: it is empty");
  if (bytes.length > DEFAULT_MAX_BYTES) {
    throw new BadFrameError(
      "too-large",
      `Cannot accept an image of ${bytes.length} bytes: at most ${DEFAULT_MAX_BYTES} are accepted`,
    );
  }
  const info = ownWork(() => readHeader(bytes, codes));
  if (info.width === 0 || info.height === 0) {
    throw corrupt(info.type, `its size is ${info.width}x${info.height}`);
  }
  checkSize(info);
  if (info.width * info.height * bytesToDecode(info) > MAX_DECODING_BYTES) {
    throw refusal(
      "work",
      `Cannot accept a ${info.type} image of ${info.width}x${info.height} pixels: decoding it takes ` +
        `more than ${MAX_DECODING_BYTES} bytes of memory`,
    );
  }
  return info;
}

/** Upper bound of decoder memory per pixel: the picture and intermediate data. */
function bytesToDecode({ type, progressive, components = 3 }: ImageInfo): number {
  if (type === "jpeg") return progressive ? 3 + 2 * components : 3;
  // WebP and interlaced PNG are unpacked completely before the first row is available.
  return type === "webp" ? 16 : 8;
}

function readHeader(bytes: Uint8Array, codes: boolean): ImageInfo {
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return readJpeg(bytes, codes);
  if (isPng(bytes)) return readPng(bytes);
  if (startsWith(bytes, 0, RIFF) && startsWith(bytes, 8, WEBP)) return readWebp(bytes);
  throw refusal(
    "stray-before-start",
    `Cannot tell the type of an image that begins with ${hex(bytes)}: ` +
      "JPEG, PNG and WebP are accepted",
  );
}

const IHDR = [0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52];
const RIFF = [0x52, 0x49, 0x46, 0x46];
const WEBP = [0x57, 0x45, 0x42, 0x50];

function readJpeg(bytes: Uint8Array, codes: boolean): ImageInfo {
  let orientation: number | undefined;
  const headers = readJpegHeaders(bytes, (marker, from, end) => {
    if (marker === APP1 && hasText(bytes, "Exif\0\0", from, end)) {
      orientation = readOrientation(bytes.subarray(from + 6, end)) ?? orientation;
    }
  });
  const { width, height, components, process, scan, start } = headers;
  const progressive = process === SOF2;
  const flaws: Flaw[] = headers.stray.length > 0 ? ["stray-before-segment"] : [];
  if (progressive || bytes[scan] !== components.length) {
    // A sequential JPEG has each component once.
    const most = Math.min(
      progressive ? MAX_SCANS : components.length,
      Math.floor(MAX_WORK / (width * height)),
    );
    const { scans, end } = countScans(bytes, start, most);
    if (scans > most) {
      throw refusal(
        "work",
        `Cannot accept a JPEG of ${scans} scans or more of ${width * height} pixels each: ` +
          `at most ${most} are accepted`,
      );
    }
    if (end === undefined) flaws.push("end-missing");
    else if (end < bytes.length) flaws.push("trailer");
  } else if (codes && (bytes.at(-2) !== 0xff || bytes.at(-1) !== 0xd9)) {
    const repairable = repairableFlaws(bytes);
    if (repairable === undefined) throw refusal("cut", cannotRead("jpeg", "codes are missing"));
    flaws.push(...repairable);
  }
  return {
    type: "jpeg",
    contentType: "image/jpeg",
    width,
    height,
    components: components.length,
    ...(orientation === undefined ? {} : { orientation }),
    progressive,
    ...(flaws.length === 0 ? {} : { flaws: [...new Set(flaws)] }),
  };
}

/** The orientation from a TIFF directory; undefined if missing or invalid. */
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

/** Samples per pixel by PNG colour type; a palette contains colours. */
const PNG_COMPONENTS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 3, 4: 2, 6: 4 };

function readPng(bytes: Uint8Array): ImageInfo {
  if (bytes.length < 33 || !startsWith(bytes, 8, IHDR)) {
    throw corrupt("png", "it ends inside its headers");
  }
  const components = PNG_COMPONENTS[bytes[25]!];
  if (components === undefined) throw corrupt("png", `its colour type is ${bytes[25]}`);
  return {
    type: "png",
    contentType: "image/png",
    width: u16(bytes, 16) * 65_536 + u16(bytes, 18),
    height: u16(bytes, 20) * 65_536 + u16(bytes, 22),
    components,
  };
}

function readWebp(bytes: Uint8Array): ImageInfo {
  const size = webpSize(bytes);
  if (size === undefined) throw corrupt("webp", "its header cannot be read");
  return { type: "webp", contentType: "image/webp", width: size[0], height: size[1] };
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

/** Big-endian; NaN past the end. */
function u16(bytes: Uint8Array, at: number): number {
  return at + 1 < bytes.length ? bytes[at]! * 256 + bytes[at + 1]! : NaN;
}

/** Little-endian; NaN past the end. */
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
  return refusal("segment", cannotRead(type, why));
}

function cannotRead(type: ImageType, why: string): string {
  return `Cannot read the ${type} image: ${why}`;
}
