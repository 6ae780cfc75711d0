// Draws findings into pictures.
import {
  BadFrameError,
  checkOptions,
  type DetectedObject,
  encodeJpeg,
  type Frame,
  isFinding,
  type Operator,
  type Output,
  pictureOf,
  range,
  type RawImage,
  type Result,
} from "../../runtime/mod.ts";
import {
  type Color,
  drawLabelledBox,
  drawText,
  fillBox,
  labelScale,
  upright,
} from "../../runtime/image/mod.ts";
import { shownFrame, withPicture, withShown } from "./picture.ts";

/** Options of `drawn`. */
export interface DrawnOptions {
  /** Most scores to show, highest first; 3 by default. */
  readonly scores?: number;
  /** JPEG quality; 80 by default. */
  readonly quality?: number;
}

const CALM: Color = [0, 0, 0];
const ALERT: Color = [200, 0, 0];

/**
 * Draws findings into the pictures: boxes with labels and tracks, keypoints, the highest scores,
 * zones, lines, the alert. The viewer does not need this: it draws findings over the picture, where
 * they can be hidden. Pictures without findings keep their bytes.
 *
 * @throws {RangeError} naming every option that is out of range.
 *
 * @example
 * ```ts
 * import { images, query } from "../../runtime/mod.ts";
 * import { detect } from "./detect.ts";
 * import { drawn } from "./drawn.ts";
 *
 * export default query("album")
 *   .readStream()
 *   .process(detect())
 *   .process(drawn())
 *   .writeStream(images());
 * ```
 */
export function drawn<T extends Output>(options: DrawnOptions = {}): Operator<T, T> {
  checkOptions("use options of drawn", options, {
    scores: range({ min: 0, max: Infinity, whole: true }),
    quality: range({ min: 1, max: 100, whole: true }),
  });
  const { scores = 3, quality = 80 } = options;
  return {
    name: `drawn(scores=${scores})`,
    concurrency: 2,
    open: () => ({
      async process(output) {
        const { result } = output;
        const picture = shownFrame(output);
        if (picture === undefined || result === undefined) return [output];
        const objects = objectsOn(picture, result);
        const lines = linesOf(result, scores);
        if (objects.length === 0 && lines.length === 0) return [output];
        try {
          return [withShown(output, await drawnOn(picture, objects, lines, quality))];
        } catch (error) {
          // Keep a finding without its picture; but a frame that cannot be decoded is a bad frame.
          if (!(error instanceof BadFrameError) || !isFinding(output)) throw error;
          const { picture: _, ...rest } = output;
          return [rest as unknown as T];
        }
      },
    }),
  };
}

function objectsOn({ offset }: Frame, { frames = [] }: Result): readonly DetectedObject[] {
  const entry = frames.findLast((frame) => frame.offset <= offset) ?? frames.at(-1);
  return entry?.objects ?? [];
}

interface Line {
  readonly text: string;
  readonly background: Color;
}

function linesOf(result: Result, most: number): Line[] {
  const { window, scores = {}, zones = {}, counts = {}, alert } = result;
  const highest = Object.entries(scores).sort(([, a], [, b]) => b - a).slice(0, most);
  const lines: Line[] = highest.map(([label, score]) => {
    const isAlert = alert !== undefined && alert.state !== "end" && alert.label === label;
    return { text: `${label} ${score.toFixed(2)}`, background: isAlert ? ALERT : CALM };
  });
  for (const [name, present] of Object.entries(zones)) {
    lines.push({ text: `${name}: ${present}`, background: CALM });
  }
  for (const [name, { in: inward, out }] of Object.entries(counts)) {
    lines.push({ text: `${name}: ${inward} in, ${out} out`, background: CALM });
  }
  if (alert !== undefined) {
    lines.push({ text: `ALERT ${alert.state} peak ${alert.peak.toFixed(2)}`, background: ALERT });
  }
  if (window !== undefined && lines.length > 0) {
    const seconds = ((window.lastTimestamp - window.firstTimestamp) / 1000).toFixed(1);
    const text =
      `${window.firstOffset}-${window.lastOffset}  ${window.frames} frames  ${seconds} s`;
    lines.push({ text, background: CALM });
  }
  return lines;
}

/** Draws on the picture of a frame, and sets its header `drawn`. */
async function drawnOn(
  frame: Frame,
  objects: readonly DetectedObject[],
  lines: readonly Line[],
  quality: number,
): Promise<Frame> {
  const picture = await pictureOf(frame);
  const image = await picture.pixels(3).finally(() => picture.release());
  try {
    draw(image, objects, lines);
    const jpeg = upright(await encodeJpeg(image, { quality }), picture);
    const copy = withPicture(frame, jpeg, picture);
    return { ...copy, headers: { ...copy.headers, drawn: "results" } };
  } finally {
    image.release();
  }
}

function draw(image: RawImage, objects: readonly DetectedObject[], lines: readonly Line[]): void {
  const scale = labelScale(image);
  for (const { label, score, box, track, keypoints = [] } of objects) {
    const color = colorOf(track === undefined ? label : `${label} ${track}`);
    const name = track === undefined ? label : `${label} #${track}`;
    drawLabelledBox(image, box, `${name} ${score.toFixed(2)}`, color);
    for (const [x, y, sure] of keypoints) {
      if (sure > 0.3) fillBox(image, [x - scale, y - scale, x + scale, y + scale], color);
    }
  }
  for (const [i, { text, background }] of lines.entries()) {
    drawText(image, text, 4 * scale, (4 + 11 * i) * scale, { scale, background });
  }
}

function colorOf(name: string): Color {
  let hash = 7;
  for (const character of name) hash = (hash * 31 + character.codePointAt(0)!) % 360;
  const part = (offset: number) => {
    const at = (offset + hash / 60) % 6;
    return Math.round(255 * Math.max(0.15, Math.min(1, Math.abs(at - 3) - 1)));
  };
  return [part(0), part(4), part(2)];
}
