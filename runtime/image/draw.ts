// Draws rectangles and labels on decoded pictures, clipped to the picture.
import { CAPITAL_DOTS, DESCENT_DOTS, type Letter, letterOf } from "./font.ts";
import type { RawImage } from "./raw.ts";

/** Red, green, blue, 0 to 255. On a grey picture their luma is used. */
export type Color = readonly [number, number, number];

/** Left, top, right, bottom in pixels; right and bottom are exclusive. */
export type Box = readonly [number, number, number, number];

/** A picture in memory that is drawn on in place. */
export type Canvas = Pick<RawImage, "data" | "width" | "height" | "channels">;

/** Appearance of text. */
export interface TextStyle {
  /** One seventh of a capital's height, pixels. Default: 2. */
  readonly scale?: number;
  /** Default: white. */
  readonly color?: Color;
  /** Fills the text's box, with a border of `scale` pixels. Default: none. */
  readonly background?: Color;
}

const WHITE: Color = [255, 255, 255];

/** Fills a rectangle. */
export function fillBox(image: Canvas, box: Box, color: Color): void {
  const left = Math.max(0, Math.round(box[0]));
  const top = Math.max(0, Math.round(box[1]));
  const right = Math.min(image.width, Math.round(box[2]));
  const bottom = Math.min(image.height, Math.round(box[3]));
  if (left >= right) return;
  const { data, width, channels } = image;
  const [red, green, blue] = color;
  const luma = lumaOf(color);
  for (let y = top; y < bottom; y++) {
    const from = (y * width + left) * channels;
    const to = (y * width + right) * channels;
    if (channels === 1) {
      data.fill(luma, from, to);
      continue;
    }
    for (let at = from; at < to; at += channels) {
      data[at] = red;
      data[at + 1] = green;
      data[at + 2] = blue;
      if (channels === 4) data[at + 3] = 255;
    }
  }
}

/**
 * Draws the outline of a rectangle, inside its edges.
 *
 * @param thickness pixels; default 2
 */
export function outlineBox(image: Canvas, box: Box, color: Color, thickness = 2): void {
  const [left, top, right, bottom] = box;
  fillBox(image, [left, top, right, Math.min(bottom, top + thickness)], color);
  fillBox(image, [left, Math.max(top, bottom - thickness), right, bottom], color);
  fillBox(image, [left, top, Math.min(right, left + thickness), bottom], color);
  fillBox(image, [Math.max(left, right - thickness), top, right, bottom], color);
}

/** Size of a text in pixels, from the top of its capitals, without the background's border. */
export function textSize(text: string, scale = 2): { width: number; height: number } {
  return {
    width: Array.from(text, (one) => letterOf(one, scale).width).reduce((a, b) => a + b, 0),
    height: Math.round((CAPITAL_DOTS + DESCENT_DOTS) * scale),
  };
}

/**
 * Draws one line of text.
 *
 * @param x left edge of its first character, pixels
 * @param y top edge of its capitals, pixels
 *
 * @example
 * ```ts
 * import { decodeImage } from "./decode.ts";
 * import { drawText } from "./draw.ts";
 *
 * const picture = await decodeImage(Deno.readFileSync("frame.jpg"), 3);
 * drawText(picture, "CAMERA-1", 8, 8, { background: [0, 0, 0] });
 * ```
 */
export function drawText(
  image: Canvas,
  text: string,
  x: number,
  y: number,
  { scale = 2, color = WHITE, background }: TextStyle = {},
): void {
  if (background !== undefined) {
    const { width, height } = textSize(text, scale);
    fillBox(image, [x - scale, y - scale, x + width + scale, y + height + scale], background);
  }
  let left = Math.round(x);
  for (const character of text) {
    const letter = letterOf(character, scale);
    drawLetter(image, letter, left, Math.round(y) - letter.above, color);
    left += letter.width;
  }
}

function drawLetter(
  { data, width, height, channels }: Canvas,
  letter: Letter,
  x: number,
  y: number,
  color: Color,
): void {
  const samples = channels === 1 ? [lumaOf(color)] : color;
  const top = Math.max(0, -y), bottom = Math.min(letter.height, height - y);
  const first = Math.max(0, -x), end = Math.min(letter.width, width - x);
  for (let row = top; row < bottom; row++) {
    for (let column = first; column < end; column++) {
      const covered = letter.coverage[row * letter.width + column]!;
      if (covered === 0) continue;
      const at = ((y + row) * width + x + column) * channels;
      for (let c = 0; c < samples.length; c++) {
        const before = data[at + c]!;
        data[at + c] = before + Math.round(covered * (samples[c]! - before) / 255);
      }
      if (channels === 4) data[at + 3] = 255;
    }
  }
}

/** Draws an outline with a label: above the box, or inside it if there is no room above. */
export function drawLabelledBox(
  image: Canvas,
  box: Box,
  text: string,
  color: Color,
  scale: number = labelScale(image),
): void {
  outlineBox(image, box, color, scale);
  if (text === "") return;
  const { width, height } = textSize(text, scale);
  const above = Math.round(box[1]) - height - 2 * scale;
  const x = Math.max(0, Math.min(Math.round(box[0]), image.width - width - 2 * scale)) + scale;
  const y = above >= 0 ? above + scale : Math.max(0, Math.round(box[1])) + scale;
  drawText(image, text, x, y, { scale, color: contrasting(color), background: color });
}

/** The text scale that is readable on a picture of this size: 2 for 640×480. */
export function labelScale({ height }: Pick<RawImage, "height">): number {
  return Math.max(1, Math.round(height / 240));
}

function contrasting(color: Color): Color {
  return lumaOf(color) > 140 ? [0, 0, 0] : WHITE;
}

function lumaOf([red, green, blue]: Color): number {
  return Math.round(0.299 * red + 0.587 * green + 0.114 * blue);
}
