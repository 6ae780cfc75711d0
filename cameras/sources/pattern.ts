// A generated test pattern: camera name, sequence number, time, and motion.
import { parseFps, parseSize, readOptions } from "../options.ts";
import type { SourceKindRow } from "../source_kind.ts";
import { encodeJpeg, prepareEncoder } from "../../runtime/image/jpeg.ts";
import { drawPattern, type PatternLook, prepareBackground } from "../pattern_picture.ts";
import {
  DEFAULT_QUALITY,
  type ImageSettings,
  type SourceContext,
  type SourceImage,
} from "../source.ts";
import { ticks } from "../ticker.ts";

const DEFAULT_SIZE = { width: 640, height: 480 };
const DEFAULT_FPS = 15;
/** Each camera has a hue of its own: multiples of the golden angle keep neighbours far apart. */
const GOLDEN_ANGLE = 137.508;

async function* frames(
  fps: number,
  { size = DEFAULT_SIZE, quality = DEFAULT_QUALITY }: ImageSettings,
  context: SourceContext,
): AsyncGenerator<SourceImage> {
  const name = context.camera;
  const hue = 62.5 + GOLDEN_ANGLE * Number(/\d+$/.exec(name)?.[0] ?? 0);
  const shown: PatternLook = { ...size, name, hue };
  const background = prepareBackground(shown);
  const data = new Uint8Array(background.length);
  let seq = 0;
  await prepareEncoder();
  for await (const timestamp of ticks(fps, context)) {
    data.set(background);
    const canvas = { ...size, channels: 4 as const, data };
    drawPattern(canvas, shown, seq++, timestamp);
    const value = await encodeJpeg(canvas, { quality });
    yield { value, contentType: "image/jpeg", timestamp, ...size };
  }
}

export const patternRow: SourceKindRow = {
  schemes: ["pattern"],
  form: "pattern:",
  help: "A generated picture: name, number, time and motion",
  access: {},
  uses: () => ["stallMs"],
  make(text, rest, settings) {
    const { options } = readOptions(text, rest, { size: parseSize, fps: parseFps });
    const fps = typeof settings.fps === "number" ? settings.fps : options.fps ?? DEFAULT_FPS;
    const image = { ...options, ...settings };
    return { description: text, kind: "live", open: (context) => frames(fps, image, context) };
  },
};
