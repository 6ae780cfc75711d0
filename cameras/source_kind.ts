// The interface of a kind of source.
import type { UriAccess } from "../runtime/base/access.ts";
import { maskUrl } from "../runtime/base/mask.ts";
import type { CameraSettings } from "./settings.ts";
import { type CameraSource, SourceError } from "./source.ts";

/**
 * One kind of source. The built-in ones are listed in `open.ts`. To use your own, export it as the
 * default of a module and name it by the module's path and a colon: `--source
 * ./my_source.ts:TARGET`.
 *
 * @example
 * ```ts
 * import { sourceType } from "./source_kind.ts";
 *
 * export default sourceType({
 *   form: "./tiles.ts:FILE",
 *   help: "The same picture once a second",
 *   make: (text, file, { fps = 1 }) => ({
 *     description: text,
 *     kind: "collection",
 *     async *open({ signal }) {
 *       while (!signal.aborted && fps !== "max") {
 *         yield { value: await Deno.readFile(file), contentType: "image/jpeg", timestamp: 0 };
 *       }
 *     },
 *   }),
 * });
 * ```
 */
export interface SourceType {
  /** Its syntax, for help and messages: `rtsp://…`. */
  readonly form: string;
  readonly help: string;
  /** True if it may send H.264 or H.265, which `--codec copy` publishes unchanged. */
  readonly video?: boolean;
  /**
   * Makes the source, without opening anything.
   *
   * @param text the source as written
   * @param rest the text after the scheme and its colon
   * @throws {SourceError} `INVALID` saying what is accepted.
   */
  readonly make: (
    text: string,
    rest: string,
    settings: CameraSettings,
  ) => CameraSource | Promise<CameraSource>;
}

/** The settings that some kinds of sources have no use for. */
export const SPECIAL_SETTINGS = [
  "loop",
  "stallMs",
  "openTimeoutMs",
  "tlsCa",
  "tlsInsecure",
] as const satisfies readonly (keyof CameraSettings)[];
export type SpecialSetting = (typeof SPECIAL_SETTINGS)[number];

export interface SourceKindRow extends SourceType {
  /** Its schemes, in lower case, without the colon. */
  readonly schemes: readonly string[];
  /** What it opens: the launcher permits nothing else. */
  readonly access: UriAccess;
  /** Which of the settings it uses that some kinds have no use for. */
  readonly uses: (text: string) => readonly SpecialSetting[];
  /**
   * Checks the text alone, if `make` looks at files; by default `make` does it.
   *
   * @throws {SourceError} as `make`.
   */
  readonly check?: (text: string, rest: string) => void;
}

/** Declares the kind of source that a module exports, for its type. */
export function sourceType(type: SourceType): SourceType {
  return type;
}

/** The settings of a source for which `--codec auto` means JPEG. */
export function withoutAuto(settings: CameraSettings): CameraSettings {
  return { ...settings, codec: settings.codec === "copy" ? "copy" : "jpeg" };
}

/** @throws {SourceError} `INVALID` if the text is not a URL with a host. */
export function checkUrl(text: string): void {
  const scheme = text.slice(0, text.indexOf(":")).toLowerCase();
  if (URL.canParse(text) && /^[a-z+]+:\/\/[^/]/i.test(text)) return;
  throw new SourceError(
    "INVALID",
    `Cannot use source ${
      maskUrl(text)
    }: expected ${scheme}://HOST[:PORT]/PATH, with USER:PASSWORD@ before HOST to log in${
      text.includes("@") ? ", and in a password %2F for /, %3F for ?, %23 for #" : ""
    }`,
  );
}
