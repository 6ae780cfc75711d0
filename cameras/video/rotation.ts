// Reads a video's rotation, and provides the filters that turn its frames upright.
import { AV_PKT_DATA_DISPLAYMATRIX, type Stream } from "node-av";
import type { FilterStep } from "../../runtime/video/filter.ts";

/** The rotation that turns frames upright. */
export interface Rotation {
  /** Clockwise. */
  readonly degrees: 0 | 90 | 180 | 270;
  /** Flipped horizontally before rotation. */
  readonly mirrored: boolean;
}

const UPRIGHT: Rotation = { degrees: 0, mirrored: false };

/** The rotation in a stream's metadata, to the nearest quarter turn. */
export function rotationOf(stream: Stream): Rotation {
  const matrix = stream.codecpar.getCodedSideData(AV_PKT_DATA_DISPLAYMATRIX);
  if (matrix === null || matrix.length < 36) return UPRIGHT;
  const view = new DataView(matrix.buffer, matrix.byteOffset, matrix.length);
  // Row vectors: (x, y) is shown at (a·x + c·y, b·x + d·y); fixed-point in native byte order.
  const at = (index: number) => view.getInt32(index * 4, true) / 65_536;
  const [a, b, c, d] = [at(0), at(1), at(3), at(4)];
  const mirrored = a * d - b * c < 0;
  const [x, y] = mirrored ? [-a, -b] : [a, b];
  const degrees = Math.round(Math.atan2(y, x) / (Math.PI / 2)) * 90;
  return { degrees: ((degrees + 360) % 360) as Rotation["degrees"], mirrored };
}

const STEPS: Readonly<Record<Rotation["degrees"], readonly FilterStep[]>> = {
  0: [],
  90: [["transpose", "dir=clock"]],
  180: [["hflip"], ["vflip"]],
  270: [["transpose", "dir=cclock"]],
};

/** The filters that turn frames upright; none if they already are. */
export function turningSteps({ degrees, mirrored }: Rotation): readonly FilterStep[] {
  return mirrored ? [["hflip"], ...STEPS[degrees]] : STEPS[degrees];
}
