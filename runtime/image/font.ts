// Glyphs for labels: Roboto Medium, prerendered by `tools/font.py`.
//
// Roboto: copyright 2015 Google Inc., Apache License 2.0.

/** Pixels of a capital in the file, and of the space above and below it. */
const CAPITAL = 21, ABOVE = 9, BELOW = 9;
const ROWS = ABOVE + CAPITAL + BELOW;
/** Samples per pixel, in each direction. */
const SAMPLES = 3;
/** Most scaled letters cached. */
const MOST_CACHED = 4_000;
/** Shown for characters missing from the font. */
const UNKNOWN = "\uFFFD";

/** Height of capitals and depth of descenders, in multiples of `scale`. */
export const CAPITAL_DOTS = 7, DESCENT_DOTS = 2;

/** A scaled letter: coverage of each pixel, row by row, 0 to 255. */
export interface Letter {
  /** Advance to the next letter, pixels. */
  readonly width: number;
  readonly height: number;
  /** Rows above a capital's top. */
  readonly above: number;
  readonly coverage: Uint8Array;
}

/** A letter as stored in the file, 0 to 15. */
interface Drawn {
  readonly width: number;
  readonly grey: Uint8Array;
}

let drawn: ReadonlyMap<string, Drawn> | undefined;
const cache = new Map<string, Letter>();

/** A character scaled so that capitals are 7 × `scale` pixels high. */
export function letterOf(character: string, scale: number): Letter {
  const key = `${scale}${character}`;
  const known = cache.get(key);
  if (known !== undefined) return known;
  drawn ??= readFont();
  const letter = scaled(drawn.get(character) ?? drawn.get(UNKNOWN)!, scale);
  if (cache.size >= MOST_CACHED) cache.clear();
  cache.set(key, letter);
  return letter;
}

/** Reads the font file: number of letters, code and width of each, their bitmaps with two pixels per byte. */
function readFont(): Map<string, Drawn> {
  const packed = Deno.readFileSync(new URL("./font.bin", import.meta.url));
  const bytes = process.getBuiltinModule("node:zlib").inflateSync(packed);
  const count = bytes.readUInt16BE(0);
  const letters = new Map<string, Drawn>();
  let picture = 2 + 3 * count;
  for (let at = 2; at < 2 + 3 * count; at += 3) {
    const width = bytes[at + 2]!;
    const grey = Uint8Array.from(
      { length: width * ROWS },
      (_, i) => bytes[picture + (i >> 1)]! >> (i & 1 ? 0 : 4) & 15,
    );
    picture += (grey.length + 1) >> 1;
    letters.set(String.fromCharCode(bytes.readUInt16BE(at)), { width, grey });
  }
  return letters;
}

/** Scales a letter: averages bilinear samples over each pixel. */
function scaled({ width: across, grey }: Drawn, scale: number): Letter {
  const factor = CAPITAL_DOTS * scale / CAPITAL;
  const width = Math.round(across * factor), height = Math.ceil(ROWS * factor);
  const at = (x: number, y: number) =>
    x < 0 || x >= across || y < 0 || y >= ROWS ? 0 : grey[y * across + x]!;
  const sample = (x: number, y: number) => {
    const left = Math.floor(x), top = Math.floor(y), dx = x - left, dy = y - top;
    return (at(left, top) * (1 - dx) + at(left + 1, top) * dx) * (1 - dy) +
      (at(left, top + 1) * (1 - dx) + at(left + 1, top + 1) * dx) * dy;
  };
  const coverage = new Uint8Array(width * height);
  for (let i = 0; i < coverage.length; i++) {
    let sum = 0;
    for (let part = 0; part < SAMPLES * SAMPLES; part++) {
      const x = i % width + (part % SAMPLES + 0.5) / SAMPLES;
      const y = Math.floor(i / width) + (Math.floor(part / SAMPLES) + 0.5) / SAMPLES;
      sum += sample(x / factor - 0.5, y / factor - 0.5);
    }
    coverage[i] = Math.round(sum * 17 / (SAMPLES * SAMPLES));
  }
  return { width, height, above: Math.round(ABOVE * factor), coverage };
}
