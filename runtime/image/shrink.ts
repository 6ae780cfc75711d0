import { PooledImage, type RawImage } from "./raw.ts";

/**
 * Shrinks a picture: each output pixel is the mean of a square of input pixels, clipped at the right and
 * lower edges.
 *
 * @param factor side of the square, a whole number
 */
export function shrink(image: RawImage, factor: number): RawImage {
  const { data: from, channels } = image;
  const width = Math.ceil(image.width / factor);
  const height = Math.ceil(image.height / factor);
  const small = new PooledImage(width, height, channels);
  const sums = new Uint32Array(width * channels);
  for (let y = 0; y < height; y++) {
    sums.fill(0);
    const top = y * factor;
    const bottom = Math.min(image.height, top + factor);
    for (let row = top; row < bottom; row++) {
      let at = row * image.width * channels;
      for (let x = 0; x < width; x++) {
        const right = Math.min(image.width, (x + 1) * factor);
        for (let column = x * factor; column < right; column++) {
          for (let c = 0; c < channels; c++) sums[x * channels + c]! += from[at++]!;
        }
      }
    }
    for (let x = 0; x < width; x++) {
      const columns = Math.min(image.width - x * factor, factor);
      const area = columns * (bottom - top);
      for (let c = 0; c < channels; c++) {
        small.data[(y * width + x) * channels + c] = (sums[x * channels + c]! + (area >> 1)) / area;
      }
    }
  }
  return small;
}
