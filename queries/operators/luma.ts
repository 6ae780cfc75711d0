/**
 * Small grey pictures to compare frames by.
 *
 * @module
 */
import {
  decodeReduced,
  type Denominator,
  type Frame,
  inspectImage,
  shrink,
} from "../../runtime/mod.ts";

/** A picture at a fraction of its size, its luma. */
export interface SmallLuma {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  /** Pixels of the source along the side of a sample. */
  readonly factor: number;
  /** Pixels of the source. */
  readonly sourceWidth: number;
  readonly sourceHeight: number;
}

/**
 * Decodes a frame at about so many samples, whatever its size.
 *
 * @throws {BadFrameError} when the frame cannot be decoded.
 */
export async function smallLuma(frame: Frame, samples: number): Promise<SmallLuma> {
  const info = inspectImage(frame.value);
  const wanted = Math.max(1, Math.round(Math.sqrt(info.width * info.height / samples)));
  const denominator = ([8, 4, 2, 1] as const).find((d) => d <= wanted) as Denominator;
  const factor = Math.floor(wanted / denominator);
  const decoded = await decodeReduced(frame.value, 1, denominator, info);
  const small = factor === 1 ? decoded : shrink(decoded, factor);
  try {
    return {
      data: small.data.slice(),
      width: small.width,
      height: small.height,
      factor: denominator * factor,
      sourceWidth: info.width,
      sourceHeight: info.height,
    };
  } finally {
    small.release();
    decoded.release();
  }
}

/** True when two small pictures stand for the same size of frame. */
export function sameShape(a: SmallLuma, b: SmallLuma): boolean {
  return a.sourceWidth === b.sourceWidth && a.sourceHeight === b.sourceHeight;
}
