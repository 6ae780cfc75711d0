// A Kalman filter with constant velocity that predicts a box.
//
// Centre, shape (width by height) and height of a box are four independent filters: their noise is
// independent, so their covariances do not mix.

import type { Box } from "../../../runtime/image/mod.ts";

/** Values per filter: value, velocity, and three covariances. */
const EACH = 5;
const SHAPE = 2, HEIGHT = 3;

/** Standard deviations of position and velocity, relative to the height. */
const POSITION = 1 / 20, SPEED = 1 / 160;
const SHAPE_NOISE = { start: 1e-2, position: 1e-2, speed: 1e-5, measured: 1e-1 };

/** The filter of one box. Values are float32, so that they do not change in a restart. */
export class BoxFilter {
  readonly values: Float32Array;

  /** @param values the values of a previous filter */
  constructor(values: Float32Array) {
    this.values = values;
  }

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
   * Predicts the next frame.
   *
   * @param growing false to keep the height, for a box that is not visible
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

  get box(): Box {
    const { values } = this;
    const x = values[0]!, y = values[EACH]!, height = values[HEIGHT * EACH]!;
    const half = values[SHAPE * EACH]! * height / 2;
    return [x - half, y - height / 2, x + half, y + height / 2];
  }
}

function measured([left, top, right, bottom]: Box): readonly number[] {
  const height = Math.max(1e-3, bottom - top);
  return [(left + right) / 2, (top + bottom) / 2, (right - left) / height, height];
}
