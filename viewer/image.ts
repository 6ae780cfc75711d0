/**
 * Type and size of an encoded image, read from its first bytes without decoding it. What a record's
 * headers say of it is anybody's claim, and is not asked.
 *
 * @module
 */

/** Width and height in pixels. */
export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

/** Content type of an image; anything unknown is nothing that a browser would interpret. */
export function imageType(image: Uint8Array): string {
  if (image[0] === 0xff && image[1] === 0xd8) return "image/jpeg";
  if (image.length < 12) return "application/octet-stream";
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  if (view.getUint32(0) === 0x89504e47) return "image/png";
  if (view.getUint32(0) === 0x52494646 && view.getUint32(8) === 0x57454250) return "image/webp";
  return "application/octet-stream";
}

/** The size that a JPEG, PNG or WebP says it has; undefined when it is none of these or cut short. */
export function imageSize(image: Uint8Array): ImageSize | undefined {
  if (image.length < 16) return undefined;
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  if (view.getUint16(0) === 0xffd8) return jpegSize(view);
  if (view.getUint32(0) === 0x89504e47) return pngSize(view);
  if (view.getUint32(0) === 0x52494646 && view.getUint32(8) === 0x57454250) return webpSize(view);
  return undefined;
}

function jpegSize(view: DataView): ImageSize | undefined {
  let at = 2;
  while (at + 9 <= view.byteLength) {
    if (view.getUint8(at) !== 0xff) return undefined;
    const marker = view.getUint8(at + 1);
    if (marker === 0xff) {
      at += 1; // fill byte
      continue;
    }
    const alone = marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7);
    if (alone) {
      at += 2;
      continue;
    }
    // Start of frame, but for the tables that share its range of numbers.
    if (
      marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc
    ) {
      return { width: view.getUint16(at + 7), height: view.getUint16(at + 5) };
    }
    if (marker === 0xd9 || marker === 0xda) return undefined;
    at += 2 + view.getUint16(at + 2);
  }
  return undefined;
}

function pngSize(view: DataView): ImageSize | undefined {
  if (view.byteLength < 24) return undefined;
  return { width: view.getUint32(16), height: view.getUint32(20) };
}

function webpSize(view: DataView): ImageSize | undefined {
  if (view.byteLength < 30) return undefined;
  switch (view.getUint32(12)) {
    case 0x56503820: // lossy
      return {
        width: view.getUint16(26, true) & 0x3fff,
        height: view.getUint16(28, true) & 0x3fff,
      };
    case 0x5650384c: { // lossless
      const bits = view.getUint32(21, true);
      return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
    }
    case 0x56503858: // extended
      return {
        width: (view.getUint16(24, true) | (view.getUint8(26) << 16)) + 1,
        height: (view.getUint16(27, true) | (view.getUint8(29) << 16)) + 1,
      };
    default:
      return undefined;
  }
}
