// The kinds of sources in the table.
import type { UriAccess } from "../runtime/base/access.ts";
import { given } from "../runtime/base/options.ts";
import type { CameraSettings } from "./settings.ts";
import { type CameraSource, type ImageSettings, SourceError } from "./source.ts";

/**
 * One kind of source. The product's own stand in `open.ts`; a module of yours whose default export is
 * one is named by its path and a colon: `--source ./my_source.ts:TARGET`.
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
  /** How it is written, for help and messages: `rtsp://…`. */
  readonly form: string;
  readonly help: string;
  /** It may send H.264 or H.265, which `--codec copy` publishes as they come. */
  readonly video?: boolean;
  /**
   * Makes the source. Nothing is opened.
   *
   * @param text as given
   * @param rest what follows the scheme and its colon
   * @throws {SourceError} `INVALID` saying what is accepted.
   */
  readonly make: (
    text: string,
    rest: string,
    settings: CameraSettings,
  ) => CameraSource | Promise<CameraSource>;
}

export interface SourceKindRow extends SourceType {
  /** The schemes that begin it, in small letters, without the colon. */
  readonly schemes: readonly string[];
  /** What it opens: the launcher allows that and nothing else. */
  readonly access: UriAccess;
  /**
   * Checks the text alone, where `make` looks at files. `make` does it unless given.
   *
   * @throws {SourceError} as `make`.
   */
  readonly check?: (text: string, rest: string) => void;
}

export function sourceType(type: SourceType): SourceType {
  return type;
}

export function imageSettings({ size, quality, codec }: CameraSettings): ImageSettings {
  return {
    ...(codec === "copy" ? { codec } : {}),
    ...given({ size, quality }),
  };
}

export function liveSettings(settings: CameraSettings): ImageSettings & { readonly fps?: number } {
  const { fps } = settings;
  return { ...imageSettings(settings), ...(typeof fps === "number" ? { fps } : {}) };
}

export function networkSettings(settings: CameraSettings) {
  const { stallMs, openTimeoutMs, tlsCa, tlsInsecure } = settings;
  return {
    ...liveSettings(settings),
    ...given({ stallMs, openTimeoutMs, tlsCa, tlsInsecure }),
  };
}

/** @throws {SourceError} `INVALID` when the text is no URL with a host. */
export function checkUrl(shown: string, text: string): void {
  const scheme = text.slice(0, text.indexOf(":")).toLowerCase();
  if (URL.canParse(text) && /^[a-z+]+:\/\/[^/]/i.test(text)) return;
  throw new SourceError(
    "INVALID",
    `Cannot use source ${shown}: expected ${scheme}://[USER:PASSWORD@]HOST[:PORT]/PATH${
      text.includes("@") ? ", and in a password %2F for /, %3F for ?, %23 for #" : ""
    }`,
  );
}
