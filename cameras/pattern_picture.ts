// Draws the test pattern: colour bars, a moving ball and bar, the camera's name, the sequence
// number, the time, and the sequence number as a machine-readable strip.
import { type Canvas, type Color, drawText, fillBox, textSize } from "../runtime/image/draw.ts";

export interface PatternLook {
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  readonly name: string;
  /** Degrees. */
  readonly hue: number;
}

/** The strip's cells: 24 bits of sequence number, 8 of checksum. */
const CELLS = 32;
const SEQ_BITS = 24;
const BARS: readonly Color[] = [
  [235, 235, 235],
  [235, 220, 20],
  [20, 210, 220],
  [30, 200, 40],
  [215, 40, 205],
  [215, 35, 35],
  [30, 50, 215],
  [30, 30, 34],
];

function bands(height: number) {
  return {
    barsBottom: Math.round(height * 0.12),
    stripTop: height - Math.max(4, Math.round(height / 24)),
  };
}

/** Draws the parts that all frames share, as RGBA. */
export function prepareBackground(look: PatternLook): Uint8Array {
  const { width, height, hue } = look;
  const data = new Uint8Array(width * height * 4);
  const canvas: Canvas = { data, width, height, channels: 4 };
  for (let y = 0; y < height; y++) {
    fillBox(canvas, [0, y, width, y + 1], fromHsl(hue, 0.55, 0.42 - 0.28 * y / height));
  }
  const grid = fromHsl(hue, 0.5, 0.5);
  const step = Math.max(8, Math.round(height / 12));
  for (let x = step; x < width; x += step) fillBox(canvas, [x, 0, x + 1, height], grid);
  for (let y = step; y < height; y += step) fillBox(canvas, [0, y, width, y + 1], grid);
  const { barsBottom } = bands(height);
  for (const [index, color] of BARS.entries()) {
    const edge = (i: number) => Math.round(i * width / BARS.length);
    fillBox(canvas, [edge(index), 0, edge(index + 1), barsBottom], color);
  }
  return data;
}

/**
 * Draws what changes from frame to frame.
 *
 * @param timestamp epoch milliseconds; shown in UTC
 */
export function drawPattern(
  canvas: Canvas,
  look: PatternLook,
  seq: number,
  timestamp: number,
): void {
  const { width, height } = look;
  const { barsBottom, stripTop } = bands(height);
  const seconds = timestamp / 1000;
  const beam = Math.max(4, Math.round(width / 40));
  const x = Math.round((seconds / 4 % 1) * (width + beam)) - beam;
  fillBox(canvas, [x, barsBottom, x + beam, stripTop], fromHsl(look.hue + 180, 0.7, 0.6));
  const radius = Math.max(4, Math.round(height / 11));
  drawBall(
    canvas,
    radius + bounce(seconds / 3.1) * (width - 2 * radius),
    barsBottom + radius + bounce(seconds / 2.3) * (stripTop - barsBottom - 2 * radius),
    radius,
    [250, 250, 245],
  );
  const lines = [
    { text: look.name, part: 0.34, share: 0.55 },
    { text: `#${String(seq).padStart(6, "0")}`, part: 0.53, share: 0.55 },
    { text: new Date(timestamp).toISOString().replace("T", " "), part: 0.72, share: 0.78 },
  ];
  for (const { text, part, share } of lines) {
    const dots = textSize(text, 1).width + 2;
    const scale = Math.max(1, Math.min(Math.floor(width * share / dots), Math.round(height / 60)));
    const size = textSize(text, scale);
    const left = Math.round((width - size.width) / 2);
    const top = Math.round(height * part - size.height / 2);
    drawText(canvas, text, left, top, { scale, background: [12, 14, 18] });
  }
  drawStrip(canvas, seq, stripTop);
}

/** Draws the strip: a white cell is a one, the highest bit is leftmost. */
function drawStrip(canvas: Canvas, seq: number, top: number): void {
  const low = seq % 2 ** SEQ_BITS;
  const bits = low * 256 + checksum(low);
  for (let cell = 0; cell < CELLS; cell++) {
    const one = Math.floor(bits / 2 ** (CELLS - 1 - cell)) % 2 === 1;
    const edge = (i: number) => Math.round(i * canvas.width / CELLS);
    const color: Color = one ? [255, 255, 255] : [0, 0, 0];
    fillBox(canvas, [edge(cell), top, edge(cell + 1), canvas.height], color);
  }
}

/** Not 0 for 0, so that a black picture is not read as a strip. */
function checksum(seq: number): number {
  return (0x5a ^ (seq & 255) ^ (seq >> 8 & 255) ^ (seq >> 16 & 255)) & 255;
}

function bounce(phase: number): number {
  const part = phase % 1;
  return part < 0.5 ? 2 * part : 2 - 2 * part;
}

function drawBall(canvas: Canvas, x: number, y: number, radius: number, color: Color): void {
  for (let row = -radius; row < radius; row++) {
    const half = Math.sqrt(radius * radius - (row + 0.5) * (row + 0.5));
    fillBox(canvas, [x - half, y + row, x + half, y + row + 1], color);
  }
}

function fromHsl(hue: number, saturation: number, lightness: number): Color {
  const chroma = saturation * Math.min(lightness, 1 - lightness);
  const channel = (shift: number) => {
    const k = ((shift + hue / 30) % 12 + 12) % 12;
    return Math.round(255 * (lightness - chroma * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [channel(0), channel(8), channel(4)];
}
