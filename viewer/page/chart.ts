// Small charts on canvas.
/** The last values of a metric, oldest first. */
export class Series {
  readonly #values: Float64Array;
  #next = 0;
  #length = 0;

  constructor(capacity = 120) {
    this.#values = new Float64Array(capacity);
  }

  push(value: number): void {
    this.#values[this.#next] = value;
    this.#next = (this.#next + 1) % this.#values.length;
    this.#length = Math.min(this.#length + 1, this.#values.length);
  }

  get length(): number {
    return this.#length;
  }

  get capacity(): number {
    return this.#values.length;
  }

  /** The value at `index`, 0 is the oldest. */
  at(index: number): number {
    const start = (this.#next - this.#length + this.#values.length) % this.#values.length;
    return this.#values[(start + index) % this.#values.length] ?? NaN;
  }

  max(): number {
    let max = 0;
    for (let i = 0; i < this.#length; i++) max = Math.max(max, this.at(i) || 0);
    return max;
  }
}

export interface LineStyle {
  readonly color: string;
  /** Top of the scale; default: the largest value. */
  readonly max?: number;
  readonly fill?: boolean;
}

/** Draws a series across the canvas, newest value at the right. */
export function drawLine(
  canvas: HTMLCanvasElement,
  series: Series,
  { color, max, fill = true }: LineStyle,
  clear = true,
): void {
  const scale = Math.min(devicePixelRatio, 2);
  const width = Math.round(canvas.clientWidth * scale);
  const height = Math.round(canvas.clientHeight * scale);
  if (width === 0 || height === 0) return;
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const context = canvas.getContext("2d");
  if (context === null) return;
  if (clear) context.clearRect(0, 0, width, height);
  if (series.length < 2) return;
  const top = Math.max(max ?? series.max(), 1e-9) * 1.1;
  const step = width / (series.capacity - 1);
  const start = width - (series.length - 1) * step;
  const y = (value: number) => height - scale - Math.min(value / top, 1) * (height - 2 * scale);
  context.beginPath();
  for (let i = 0; i < series.length; i++) {
    const value = series.at(i);
    if (Number.isNaN(value)) continue;
    context.lineTo(start + i * step, y(value));
  }
  context.strokeStyle = color;
  context.lineWidth = 1.25 * scale;
  context.lineJoin = "round";
  context.stroke();
  if (!fill) return;
  context.lineTo(width, height);
  context.lineTo(start, height);
  context.closePath();
  context.globalAlpha = 0.16;
  context.fillStyle = color;
  context.fill();
  context.globalAlpha = 1;
}
