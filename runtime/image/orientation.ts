// Keeps the EXIF orientation of a JPEG whose pixels are encoded again.
import { concatenated } from "../base/bytes.ts";

/** End of the JFIF segment that libjpeg writes. */
const AFTER_JFIF = 20;

/**
 * A copy of a JPEG with an EXIF orientation.
 *
 * @param jpeg output of `encodeJpeg`
 * @param orientation 1 (upright) to 8, as in EXIF
 */
export function withOrientation(
  jpeg: Uint8Array,
  orientation: number,
): Uint8Array<ArrayBuffer> {
  // One TIFF directory with one entry: tag 0x0112, a single 16-bit number.
  const exif = Uint8Array.of(
    ...[0xff, 0xe1, 0, 34],
    ...[0x45, 0x78, 0x69, 0x66, 0, 0],
    ...[0x4d, 0x4d, 0, 42, 0, 0, 0, 8],
    ...[0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0],
    ...[0, 0, 0, 0],
  );
  return concatenated([jpeg.slice(0, AFTER_JFIF), exif, jpeg.slice(AFTER_JFIF)]);
}
