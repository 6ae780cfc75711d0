// Options written into a source: `pattern:?size=640x480&fps=15`.
import { messageOf } from "../runtime/base/errors.ts";
import { number, range, repeated, shown } from "../runtime/base/options.ts";
import { DEFAULT_MAX_PIXELS } from "../runtime/image/inspect.ts";
import { type Size, SourceError } from "./source.ts";

const MOST_PIXELS_A_SIDE = 8_192;

/** Reads `640x480`. */
export function parseSize(text: string): Size {
  const match = /^(\d{1,5})x(\d{1,5})$/i.exec(text);
  const width = Number(match?.[1]);
  const height = Number(match?.[2]);
  const fits = (side: number) => side >= 16 && side <= MOST_PIXELS_A_SIDE;
  if (!fits(width) || !fits(height) || width * height > DEFAULT_MAX_PIXELS) {
    const most = `${DEFAULT_MAX_PIXELS / 1e6} megapixels at most`;
    throw new Error(
      `expected WIDTHxHEIGHT, each 16 to ${MOST_PIXELS_A_SIDE}, ${most}, such as 640x480`,
    );
  }
  return { width, height };
}

const FPS = {
  ...range({ min: 0, max: 1_000, above: true }),
  accepted: "frames per second above 0, at most 1000",
};

/** Parses a frame rate, in frames per second. */
export const parseFps = (text: string, or = ""): number => number(FPS, or)(text);

/** Parsers for the options of a source, by name. */
export type Readers<T> = { readonly [K in keyof T]: (text: string) => T[K] };

/**
 * Splits `REST?a=b&c=d` and parses the options.
 *
 * @throws {SourceError} `INVALID` naming all faults.
 */
export function readOptions<T extends object>(
  given: string,
  text: string,
  readers: Readers<T>,
): { readonly rest: string; readonly options: Partial<T> } {
  const mark = text.indexOf("?");
  if (mark < 0) return { rest: text, options: {} };
  const options: Partial<T> = {};
  const parameters = new URLSearchParams(text.slice(mark + 1));
  const faults = repeated(parameters, Object.keys(readers));
  for (const [name, value] of parameters) {
    if (!Object.hasOwn(readers, name)) {
      faults.push(
        `unknown option ${shown(name)}: expected ${Object.keys(readers).join(", ")}`,
      );
      continue;
    }
    const key = name as keyof T;
    try {
      options[key] = readers[key](value);
    } catch (error) {
      faults.push(`${name}=${value}: ${messageOf(error)}`);
    }
  }
  if (faults.length > 0) {
    throw new SourceError("INVALID", `Cannot use source ${given}: ${faults.join("; ")}`);
  }
  return { rest: text.slice(0, mark), options };
}
