// What a picture's own bytes say of it. Anyone can write a record's headers, so they are not
// trusted: a browser must never take a picture for a page.
import { BadFrameError } from "../runtime/definition/frame.ts";
import { inspectImage } from "../runtime/image/inspect.ts";

/** Type and upright size of a picture. */
export interface PictureInfo {
  readonly contentType: string;
  /** Pixels; 0 when the header cannot be read. */
  readonly width: number;
  readonly height: number;
  /** Of a JPEG that lies upright, as nearly all do: its components, where it is grey or of colours. */
  readonly components?: 1 | 3;
}

const UNKNOWN: PictureInfo = { contentType: "application/octet-stream", width: 0, height: 0 };

/** Reads the picture's header. An invalid picture, or one too large to show, has no size. */
export function pictureInfo(bytes: Uint8Array): PictureInfo {
  try {
    const { type, contentType, width, height, components, orientation = 1 } = inspectImage(
      bytes,
      { codes: false },
    );
    if (orientation >= 5) return { contentType, width: height, height: width };
    const plain = type === "jpeg" && orientation === 1 && (components === 1 || components === 3);
    return { contentType, width, height, ...(plain ? { components } : {}) };
  } catch (error) {
    if (error instanceof BadFrameError) return UNKNOWN;
    throw error;
  }
}

/** True for bytes that begin like a JPEG, PNG or WebP of a size that can be shown. */
export function isImage(bytes: Uint8Array): boolean {
  return pictureInfo(bytes).width > 0;
}
