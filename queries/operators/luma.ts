// Small grey pictures for comparing frames.
import { type Frame, pictureOf } from "../../runtime/mod.ts";
import { shrink } from "../../runtime/image/mod.ts";

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
  const { width, height } = picture;
  const wanted = Math.max(1, Math.round(Math.sqrt(width * height / samples)));
  const denominator = ([8, 4, 2] as const).find((one) => one <= wanted) ?? 1;
  const factor = Math.floor(wanted / denominator);
  const decoded = await picture.pixels(1, denominator).finally(() => picture.release());
  const small = factor === 1 ? decoded : shrink(decoded, factor);
  const luma = {
    data: small.data.slice(),
    width: small.width,
    height: small.height,
    factor: denominator * factor,
    sourceWidth: width,
    sourceHeight: height,
  };
  small.release();
  decoded.release();
  return luma;
}
