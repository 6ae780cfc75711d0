// The filters that turn a video's frames upright.
import { AV_PKT_DATA_DISPLAYMATRIX, type Stream } from "node-av";
import type { FilterStep } from "../../runtime/video/filter.ts";
import type { Size } from "../source.ts";

/** By quarter turns, clockwise. */
const TURNS: readonly (readonly FilterStep[])[] = [
  [],
  [["transpose", "dir=clock"]],
  [["hflip"], ["vflip"]],
  [["transpose", "dir=cclock"]],
];

/** The filters that turn a stream's frames upright, to the nearest quarter turn; none if they are. */
export function turningSteps(stream: Stream): readonly FilterStep[] {
  const matrix = stream.codecpar.getCodedSideData(AV_PKT_DATA_DISPLAYMATRIX);
  if (matrix === null || matrix.length < 36) return [];
  const view = new DataView(matrix.buffer, matrix.byteOffset, matrix.length);
  // Row vectors: (x, y) is shown at (a·x + c·y, b·x + d·y); fixed-point in native byte order.
  const at = (index: number) => view.getInt32(index * 4, true) / 65_536;
  const [a, b, c, d] = [at(0), at(1), at(3), at(4)];
  const mirrored = a * d - b * c < 0;
  const [x, y] = mirrored ? [-a, -b] : [a, b];
  const turns = TURNS[(Math.round(Math.atan2(y, x) / (Math.PI / 2)) + 4) % 4]!;
  return mirrored ? [["hflip"], ...turns] : turns;
}

/** The size that a frame has after it was turned. */
export function uprightSize({ width, height }: Size, turning: readonly FilterStep[]): Size {
  const isSideways = turning.some(([name]) => name === "transpose");
  return isSideways ? { width: height, height: width } : { width, height };
}
