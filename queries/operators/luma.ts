/**
 * Small grey pictures to compare frames by.
 *
 * @module
 */
import { decodeImage, type Frame, inspectImage, type RawImage } from "../../runtime/mod.ts";

/** A picture shrunk by a whole factor: each sample is the mean luma of a square of pixels. */
export interface SmallLuma {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  /** Pixels of the source along the side of a sample's square. */
  readonly factor: number;
  /** Pixels of the source. */
  readonly sourceWidth: number;
  readonly sourceHeight: number;
}

/**
 * Decodes a frame and shrinks it to about so many samples, whatever its size.
 *
 * @throws {BadFrameError} when the frame cannot be decoded.
 */
export async function smallLuma(frame: Frame, samples: number): Promise<SmallLuma> {
  const info = inspectImage(frame.value);
  const image = await decodeImage(frame.value, 1, info);
  try {
    const wanted = Math.round(Math.sqrt(info.width * info.height / samples));
    return shrink(image, Math.max(1, Math.min(wanted, info.width, info.height)));
  } finally {
    image.release();
  }
}

/** Shrinks a grey picture. Pixels that fill no whole square at the right and bottom are left out. */
export function shrink(image: RawImage, factor: number): SmallLuma {
  const width = Math.floor(image.width / factor);
  const height = Math.floor(image.height / factor);
  const data = new Uint8Array(width * height);
  const sums = new Uint32Array(width);
  const area = factor * factor;
  for (let y = 0; y < height; y++) {
    sums.fill(area >> 1);
    for (let row = 0; row < factor; row++) {
      let at = (y * factor + row) * image.width;
      for (let x = 0; x < width; x++) {
        let sum = 0;
        for (let column = 0; column < factor; column++) sum += image.data[at++]!;
        sums[x]! += sum;
      }
    }
    for (let x = 0; x < width; x++) data[y * width + x] = sums[x]! / area;
  }
  return {
    data,
    width,
    height,
    factor,
    sourceWidth: image.width,
    sourceHeight: image.height,
  };
}

/** True when two small pictures stand for the same size of frame. */
export function sameShape(a: SmallLuma, b: SmallLuma): boolean {
  return a.sourceWidth === b.sourceWidth && a.sourceHeight === b.sourceHeight;
}
