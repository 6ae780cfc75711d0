// A generated test pattern: camera name, sequence number, time, and motion.
import { parseFps, parseNumber, parseSize, readOptions } from "../options.ts";
import { type LiveSettings, liveSettings, type SourceKindRow } from "../source_kind.ts";
import { encodeJpeg, prepareEncoder } from "../../runtime/image/jpeg.ts";
import { drawPattern, type PatternLook, prepareBackground } from "../pattern_picture.ts";
import { DEFAULT_QUALITY, type SourceContext, type SourceImage } from "../source.ts";
import { ticks } from "../ticker.ts";

interface PatternOptions extends LiveSettings {
  /** Hue of the background, degrees; by default different for each camera. */
  readonly hue?: number;
  /** Shown instead of the camera's name. */
  readonly name?: string;
  /** False: only the numbers change. */
  readonly motion?: boolean;
}

const DEFAULT_SIZE = { width: 640, height: 480 };
const DEFAULT_FPS = 15;
/** Multiples of the golden angle keep neighbouring hues far apart. */
const GOLDEN_ANGLE = 137.508;

async function* frames(
  { size = DEFAULT_SIZE, fps = DEFAULT_FPS, quality = DEFAULT_QUALITY, ...look }: PatternOptions,
  context: SourceContext,
): AsyncGenerator<SourceImage> {
  const { name = context.camera, hue = 62.5 + GOLDEN_ANGLE * numberIn(context.camera) } = look;
  const { motion = true } = look;
  const shown: PatternLook = { ...size, name, hue, motion };
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

function numberIn(camera: string): number {
  return Number(/\d+$/.exec(camera)?.[0] ?? 0);
}

export const patternRow: SourceKindRow = {
  schemes: ["pattern"],
  form: "pattern:",
  help: "A generated picture: name, number, time and motion",
  access: {},
  make(text, rest, settings) {
    const { options } = readOptions(text, rest, {
      size: parseSize,
      fps: parseFps,
      hue: (text: string) =>
        parseNumber(text, "degrees from 0 to 360", (hue) => hue >= 0 && hue <= 360),
      name: (name: string) => name,
      motion: parseSwitch,
    });
    const all = { ...options, ...liveSettings(settings) };
    return { description: text, kind: "live", open: (context) => frames(all, context) };
  },
};

function parseSwitch(text: string): boolean {
  if (text === "on" || text === "off") return text === "on";
  throw new Error("expected on or off");
}
