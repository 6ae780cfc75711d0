/**
 * Objects in the outputs of a CenterNet model.
 *
 * @module
 */

/** An output: channels of rows of cells, for one frame. */
export interface CellMap {
  readonly data: ArrayLike<number>;
  /** Cells. */
  readonly width: number;
  readonly height: number;
}

/** An object in pixels of the model's input. */
export interface Peak {
  /** Channel of the heat map. */
  readonly channel: number;
  readonly score: number;
  readonly box: readonly [number, number, number, number];
}

/**
 * Finds the peaks of the heat map: cells above the threshold that none of their eight neighbours
 * exceeds.
 *
 * @param heat a channel for each kind of object
 * @param sides four channels: from a cell to the left, top, right and bottom edge, input pixels
 * @param stride input pixels from one cell to the next
 * @returns the peaks, the surest first.
 */
export function findPeaks(
  heat: CellMap,
  sides: CellMap,
  { threshold, stride, most }: { threshold: number; stride: number; most: number },
): Peak[] {
  const { data, width, height } = heat;
  const plane = width * height;
  const found: { at: number; score: number }[] = [];
  for (let at = 0; at < data.length; at++) {
    const score = data[at]!;
    if (score > threshold && isPeak(data, at, score, width, plane)) found.push({ at, score });
  }
  found.sort((a, b) => b.score - a.score || a.at - b.at);
  return found.slice(0, most).map(({ at, score }) => {
    const cell = at % plane;
    const x = cell % width * stride, y = Math.floor(cell / width) * stride;
    const side = (channel: number) => sides.data[channel * plane + cell]!;
    return {
      channel: Math.floor(at / plane),
      score,
      box: [x - side(0), y - side(1), x + side(2), y + side(3)],
    };
  });
}

/** Of equal neighbours the first one is the peak. */
function isPeak(
  data: ArrayLike<number>,
  at: number,
  score: number,
  width: number,
  plane: number,
): boolean {
  const cell = at % plane;
  const x = cell % width, y = (cell - x) / width, height = plane / width;
  for (let dy = -1; dy <= 1; dy++) {
    if (y + dy < 0 || y + dy >= height) continue;
    for (let dx = -1; dx <= 1; dx++) {
      if (x + dx < 0 || x + dx >= width) continue;
      const other = at + dy * width + dx;
      if (data[other]! > score || (data[other]! === score && other < at)) return false;
    }
  }
  return true;
}
