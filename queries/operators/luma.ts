// Small grey pictures for comparing frames.
import { type Frame, type Picture, pictureOf } from "../../runtime/mod.ts";
import { type Denominator, shrink } from "../../runtime/image/mod.ts";

/** The luma of a picture at reduced size. */
export interface SmallLuma {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  /** Source pixels along the side of a sample. */
  readonly factor: number;
  /** Size of the source, pixels. */
  readonly sourceWidth: number;
  readonly sourceHeight: number;
}

/**
 * Decodes a frame to about this many samples.
 *
 * @throws {BadFrameError} if the frame cannot be decoded.
 */
export async function smallLuma(frame: Frame, samples: number): Promise<SmallLuma> {
  const picture = await pictureOf(frame);
  try {
    return await reduceLuma(picture, samples);
  } finally {
    picture.release();
  }
}

async function reduceLuma(picture: Picture, samples: number): Promise<SmallLuma> {
  const { width, height } = picture;
  const wanted = Math.max(1, Math.round(Math.sqrt(width * height / samples)));
  const denominator = ([8, 4, 2, 1] as const).find((d) => d <= wanted) as Denominator;
  const factor = Math.floor(wanted / denominator);
  const decoded = await picture.pixels(1, denominator);
  const small = factor === 1 ? decoded : shrink(decoded, factor);
  try {
    return {
      data: small.data.slice(),
      width: small.width,
      height: small.height,
      factor: denominator * factor,
      sourceWidth: width,
      sourceHeight: height,
    };
  } finally {
    small.release();
    decoded.release();
  }
}

/** True if two pictures were reduced from the same size. */
export function sameShape(a: SmallLuma, b: SmallLuma): boolean {
  return a.sourceWidth === b.sourceWidth && a.sourceHeight === b.sourceHeight;
}
