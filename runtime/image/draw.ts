/**
 * Drawing on decoded pictures: rectangles and small labels. What lies outside is cut off.
 *
 * @module
 */
import { glyph, GLYPH_HEIGHT, GLYPH_WIDTH } from "./font.ts";
import type { RawImage } from "./raw.ts";

/** Red, green, blue, 0 to 255. On a grey picture their luma is drawn. */
export type Color = readonly [number, number, number];

/** Left, top, right, bottom in pixels; right and bottom are the first that lie outside. */
export type Box = readonly [number, number, number, number];

/** What is drawn on: a picture in memory, changed in place. */
export type Canvas = Pick<RawImage, "data" | "width" | "height" | "channels">;

/** How a text looks. */
export interface TextStyle {
  /** Pixels a dot of the font: a character is 5 by 7 dots. 2 unless given. */
  readonly scale?: number;
  /** White unless given. */
  readonly color?: Color;
  /** Fills the text's box, with a border of one dot; none unless given. */
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
  const luma = Math.round(0.299 * red + 0.587 * green + 0.114 * blue);
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
 * Draws the four sides of a rectangle, inside it.
 *
 * @param thickness pixels; 2 unless given
 */
export function outlineBox(image: Canvas, box: Box, color: Color, thickness = 2): void {
  const [left, top, right, bottom] = box;
  fillBox(image, [left, top, right, Math.min(bottom, top + thickness)], color);
  fillBox(image, [left, Math.max(top, bottom - thickness), right, bottom], color);
  fillBox(image, [left, top, Math.min(right, left + thickness), bottom], color);
  fillBox(image, [Math.max(left, right - thickness), top, right, bottom], color);
}

/** Pixels that a text takes, without the border of its background. */
export function textSize(text: string, scale = 2): { width: number; height: number } {
  const length = [...text].length;
  return {
    width: Math.max(0, length * (GLYPH_WIDTH + 1) - 1) * scale,
    height: GLYPH_HEIGHT * scale,
  };
}

/**
 * Writes one line of text.
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
  for (const character of text) {
    for (const [row, bits] of glyph(character).entries()) {
      const top = y + row * scale;
      for (let column = 0; column < GLYPH_WIDTH; column++) {
        if ((bits & (1 << (GLYPH_WIDTH - 1 - column))) === 0) continue;
        const left = x + column * scale;
        fillBox(image, [left, top, left + scale, top + scale], color);
      }
    }
    x += (GLYPH_WIDTH + 1) * scale;
  }
}

/**
 * Outlines something and names it: the text stands on the box, or in it where there is no room
 * above.
 */
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

/** Pixels a dot at which text is readable on a picture of this size: 2 for 640×480. */
export function labelScale({ height }: Pick<RawImage, "height">): number {
  return Math.max(1, Math.round(height / 240));
}

function contrasting([red, green, blue]: Color): Color {
  return 0.299 * red + 0.587 * green + 0.114 * blue > 140 ? [0, 0, 0] : WHITE;
}
