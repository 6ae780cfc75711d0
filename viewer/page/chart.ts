// Small charts on canvas.
/** The last values of a metric, oldest first. */
export class Series {
  readonly values: number[] = [];
  readonly capacity: number;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  push(value: number): void {
    if (this.values.push(value) > this.capacity) this.values.shift();
  }

  get max(): number {
    return Math.max(0, ...this.values.filter((value) => !Number.isNaN(value)));
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
  const { values } = series;
  if (values.length < 2) return;
  const top = Math.max(max ?? series.max, 1e-9) * 1.1;
  const step = width / (series.capacity - 1);
  const start = width - (values.length - 1) * step;
  const y = (value: number) => height - scale - Math.min(value / top, 1) * (height - 2 * scale);
  context.beginPath();
  values.forEach((value, i) => {
    if (!Number.isNaN(value)) context.lineTo(start + i * step, y(value));
  });
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
