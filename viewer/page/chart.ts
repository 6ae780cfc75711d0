// Small charts on canvas.
import { find, text } from "./dom.ts";
import { known } from "./format.ts";

const COLORS = ["--spark", "--spark-2"];

/** A chart of one or two series, each with its newest value. */
export class Chart {
  readonly #canvas: HTMLCanvasElement;
  readonly #values: readonly Element[];

  constructor(figure: HTMLElement) {
    this.#canvas = find(figure, "canvas", HTMLCanvasElement);
    this.#values = [...figure.querySelectorAll("b")];
  }

  /** Draws the values of each moment, the newest of `room` moments at the right. */
  update(
    moments: readonly (readonly number[])[],
    format: (value: number) => string,
    room: number,
  ): void {
    const newest = moments.at(-1) ?? [];
    this.#values.forEach((value, index) => text(value, known(format, newest[index])));
    const series = this.#values.map((_, index) => moments.map((values) => values[index]!));
    drawLines(this.#canvas, series, room);
  }
}

/**
 * Draws one or two lines across the canvas on the same scale, the newest of `room` values at the right. NaN
 * leaves a value out. The area below the first line is filled.
 */
function drawLines(
  canvas: HTMLCanvasElement,
  lines: readonly (readonly number[])[],
  room: number,
): void {
  const scale = Math.min(devicePixelRatio, 2);
  // This clears it too.
  const width = canvas.width = Math.round(canvas.clientWidth * scale);
  const height = canvas.height = Math.round(canvas.clientHeight * scale);
  const context = canvas.getContext("2d");
  if (context === null) return;
  const top = Math.max(1e-9, ...lines.flat().filter((value) => !Number.isNaN(value))) * 1.1;
  const style = getComputedStyle(canvas);
  lines.forEach((values, line) => {
    if (values.length < 2) return;
    const step = width / (room - 1);
    const start = width - (values.length - 1) * step;
    context.beginPath();
    values.forEach((value, at) => {
      const y = height - scale - value / top * (height - 2 * scale);
      if (!Number.isNaN(value)) context.lineTo(start + at * step, y);
    });
    context.strokeStyle = context.fillStyle = style.getPropertyValue(COLORS[line]!);
    context.lineWidth = 1.25 * scale;
    context.lineJoin = "round";
    context.stroke();
    if (line > 0) return;
    context.lineTo(width, height);
    context.lineTo(start, height);
    context.closePath();
    context.globalAlpha = 0.16;
    context.fill();
    context.globalAlpha = 1;
  });
}
