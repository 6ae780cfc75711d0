/**
 * Findings written on their pictures.
 *
 * @module
 */
import {
  BadFrameError,
  type Color,
  drawText,
  type Finding,
  labelScale,
  type Operator,
  type RawImage,
  type Result,
} from "../../runtime/mod.ts";
import { drawnOn } from "./picture.ts";

/** How to write. */
export interface CaptionOptions {
  /** Most scores to name, the highest first; 3 unless given. */
  readonly scores?: number;
  /** JPEG quality; 80 unless given. */
  readonly quality?: number;
}

const CALM: Color = [0, 0, 0];
const ALERT: Color = [200, 0, 0];

/**
 * Writes on the picture of each finding its highest scores, the span of its window and, while there is
 * one, the alert.
 *
 * @example
 * ```ts
 * import { caption } from "./caption.ts";
 *
 * console.log(caption({ scores: 1 }).name);
 * ```
 */
export function caption(options: CaptionOptions = {}): Operator<Finding, Finding> {
  const { scores = 3, quality = 80 } = options;
  return {
    name: `caption(scores=${scores})`,
    concurrency: 2,
    open: () => ({
      async process(finding) {
        const { picture, result } = finding;
        if (picture === undefined) return [finding];
        try {
          const drawn = await drawnOn(picture, (image) => write(image, result, scores), quality);
          return [{ ...finding, picture: drawn }];
        } catch (error) {
          // The finding counts, not its picture.
          if (!(error instanceof BadFrameError)) throw error;
          const { picture: _, ...rest } = finding;
          return [rest];
        }
      },
    }),
  };
}

function write(image: RawImage, { window, scores = {}, alert }: Result, most: number): void {
  const lines: { text: string; background: Color }[] = [];
  const highest = Object.entries(scores).sort(([, a], [, b]) => b - a).slice(0, most);
  for (const [label, score] of highest) {
    const background = alert !== undefined && alert.state !== "end" && alert.label === label
      ? ALERT
      : CALM;
    lines.push({ text: `${label} ${score.toFixed(2)}`, background });
  }
  if (alert !== undefined) {
    lines.push({ text: `ALERT ${alert.state} peak ${alert.peak.toFixed(2)}`, background: ALERT });
  }
  if (window !== undefined) {
    const seconds = ((window.lastTimestamp - window.firstTimestamp) / 1000).toFixed(1);
    const text =
      `${window.firstOffset}-${window.lastOffset}  ${window.frames} frames  ${seconds} s`;
    lines.push({ text, background: CALM });
  }
  const scale = labelScale(image);
  for (const [i, { text, background }] of lines.entries()) {
    drawText(image, text, 4 * scale, (4 + 11 * i) * scale, { scale, background });
  }
}
