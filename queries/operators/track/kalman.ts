// Where a box will be next: a Kalman filter of constant velocity.
//
// Middle, shape (width by height) and height of a box are four filters that do not know of each other:
// noise is independent, so their covariances never mix.

/** Left, top, right, bottom. */
export type Box = readonly [number, number, number, number];

/** What a filter keeps of each of the four values: value, speed, and three covariances. */
const EACH = 5;
const SHAPE = 2, HEIGHT = 3;

/** Parts of the height that a position and a speed are unsure by. */
const POSITION = 1 / 20, SPEED = 1 / 160;
const SHAPE_NOISE = { start: 1e-2, position: 1e-2, speed: 1e-5, measured: 1e-1 };

/** The filter of one box. Numbers are float32, so that they are the same after a restart. */
export class BoxFilter {
  readonly values: Float32Array;

  /** @param values those of a filter before */
  constructor(values: Float32Array) {
    this.values = values;
  }

  /** The filter of a box that was seen for the first time. */
  static of(box: Box): BoxFilter {
    const values = new Float32Array(4 * EACH), seen = measured(box), height = seen[HEIGHT]!;
    for (let i = 0; i < 4; i++) {
      const position = i === SHAPE ? SHAPE_NOISE.start : 2 * POSITION * height;
      const speed = i === SHAPE ? SHAPE_NOISE.speed : 10 * SPEED * height;
      values.set([seen[i]!, 0, position ** 2, 0, speed ** 2], i * EACH);
    }
    return new BoxFilter(values);
  }

  /**
   * Moves on by one frame.
   *
   * @param growing false keeps the height as it is: of a box that is not seen
   */
  predict(growing: boolean): void {
    const { values } = this, height = values[HEIGHT * EACH]!;
    if (!growing) values[HEIGHT * EACH + 1] = 0;
    for (let i = 0; i < 4; i++) {
      const at = i * EACH;
      const position = i === SHAPE ? SHAPE_NOISE.position : POSITION * height;
      const speed = i === SHAPE ? SHAPE_NOISE.speed : SPEED * height;
      const pv = values[at + 3]!, vv = values[at + 4]!;
      values[at]! += values[at + 1]!;
      values[at + 2] = values[at + 2]! + 2 * pv + vv + position ** 2;
      values[at + 3] = pv + vv;
      values[at + 4] = vv + speed ** 2;
    }
  }

  update(box: Box): void {
    const { values } = this, seen = measured(box), height = values[HEIGHT * EACH]!;
    for (let i = 0; i < 4; i++) {
      const at = i * EACH;
      const noise = i === SHAPE ? SHAPE_NOISE.measured : POSITION * height;
      const pp = values[at + 2]!, pv = values[at + 3]!;
      const spread = pp + noise ** 2;
      const off = seen[i]! - values[at]!;
      values[at]! += pp / spread * off;
      values[at + 1]! += pv / spread * off;
      values[at + 2] = pp - pp * pp / spread;
      values[at + 3] = pv - pp * pv / spread;
      values[at + 4] = values[at + 4]! - pv * pv / spread;
    }
  }

  /** Where the box is thought to be. */
  get box(): Box {
    const { values } = this;
    const x = values[0]!, y = values[EACH]!, height = values[HEIGHT * EACH]!;
    const half = values[SHAPE * EACH]! * height / 2;
    return [x - half, y - height / 2, x + half, y + height / 2];
  }
}

/** Middle across and down, shape, height. */
function measured([left, top, right, bottom]: Box): readonly number[] {
  const height = Math.max(1e-3, bottom - top);
  return [(left + right) / 2, (top + bottom) / 2, (right - left) / height, height];
}

/** Overlap of two boxes: their intersection by their union. */
export function overlap(a: Box, b: Box): number {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  const area = (box: Box) => (box[2] - box[0]) * (box[3] - box[1]);
  return shared / (area(a) + area(b) - shared);
}
