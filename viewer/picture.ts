// Determines a picture's type from its bytes. Anyone can write a record's headers, so they are not trusted: a
// browser must never interpret a picture as a page.
import { BadFrameError } from "../runtime/definition/frame.ts";
import { inspectImage } from "../runtime/image/inspect.ts";

/** Type and upright size of a picture. */
export interface PictureInfo {
  readonly contentType: string;
  /** Pixels; 0 if the header cannot be read. */
  readonly width: number;
  readonly height: number;
  /** Components of an upright JPEG, if it is grey or colour. */
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

/** Whether the bytes begin like a displayable JPEG, PNG or WebP. */
export function isImage(bytes: Uint8Array): boolean {
  return pictureInfo(bytes).width > 0;
}
