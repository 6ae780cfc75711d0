// The table of source kinds, and parsing a source from its text.
import { messageOf } from "../runtime/base/errors.ts";
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { maskUrl } from "../runtime/base/mask.ts";
import { moduleOf, type ModuleUri, type UriAccess } from "../runtime/base/access.ts";
import { settled } from "../runtime/base/wait.ts";
import { type CameraSettings, SETTINGS } from "./settings.ts";
import { type CameraSource, SourceError, type SourceKind } from "./source.ts";
import {
  type SourceKindRow,
  type SourceType,
  SPECIAL_SETTINGS,
  withoutAuto,
} from "./source_kind.ts";
import { deviceRow } from "./sources/device.ts";
import { VideoFileSource } from "./sources/file.ts";
import { FolderSource, isFolder } from "./sources/folder.ts";
import { mjpegRow } from "./sources/mjpeg.ts";
import { patternRow } from "./sources/pattern.ts";
import { rtspRow } from "./sources/rtsp.ts";

const pathRow: SourceKindRow = {
  schemes: ["", "file"],
  form: "a video file, a folder of images",
  help: "Any video file that FFmpeg reads; a folder of JPEG, PNG and WebP images",
  // No character ends a path.
  access: { target: "read", mark: "\0" },
  uses: () => ["loop"],
  video: true,
  check: (text, rest) => void pathOf(text, rest),
  async make(text, rest, settings) {
    const path = pathOf(text, rest);
    if (!await isFolder(path)) return new VideoFileSource(path, withoutAuto(settings));
    const { loop } = settings;
    const mode = loop === undefined ? "watch" : loop ? "loop" : "once";
    return new FolderSource(path, { ...settings, mode });
  },
};

/** To add a kind of source, write one file and add its row here. */
const ROWS: readonly SourceKindRow[] = [pathRow, rtspRow, mjpegRow, deviceRow, patternRow];
const MODULE_FORM = "./FILE.ts:TARGET";

/** The accepted sources, for help and messages. */
export function acceptedSources(): string {
  return [...ROWS.map(({ form }) => form), MODULE_FORM].join(", ");
}

/** What each kind of source opens, by scheme, for the launcher; "" is a path. */
export const SOURCE_ACCESS: Readonly<Record<string, UriAccess>> = Object.fromEntries(
  ROWS.flatMap(({ schemes, access }) => schemes.map((scheme) => [scheme, access] as const)),
);

/**
 * Checks a source's text and settings, without looking at files.
 *
 * @throws {SourceError} `INVALID` saying what is accepted.
 */
export function checkSource(text: string, settings: CameraSettings = {}): void {
  if (moduleOf(text, true) !== undefined) return;
  const { row, rest } = rowOf(text);
  if (row.check === undefined) {
    refuseCopy(text, row, settings, row.make(text, rest, settings) as CameraSource);
  } else {
    row.check(text, rest);
    refuseCopy(text, row, settings);
  }
}

/**
 * Makes a source from its text, in one of the forms of `acceptedSources`. Opens nothing, but checks
 * whether a path is a folder, and loads a module.
 *
 * @param signal stops waiting for a file system that does not answer
 * @throws {SourceError} `INVALID` saying what is accepted.
 * @throws the signal's reason if it aborts.
 *
 * @example
 * ```ts
 * import { makeSource } from "./open.ts";
 *
 * const source = await makeSource("pattern:?size=640x480", { fps: 5 });
 * ```
 */
export async function makeSource(
  text: string,
  settings: CameraSettings = {},
  signal?: AbortSignal,
): Promise<CameraSource> {
  const module = moduleOf(text, true);
  const { row, rest }: { row: SourceType; rest: string } = module === undefined
    ? rowOf(text)
    : { row: await settled(loadType(module), signal), rest: module.rest.slice(1) };
  const source = await settled(Promise.resolve(row.make(text, rest, settings)), signal);
  refuseCopy(text, row, settings, source);
  return source;
}

/** What a user should know of a camera's settings: those without effect on its source, and what is unsafe. */
export function settingRemarks(text: string, settings: CameraSettings): string[] {
  // A module may use any.
  const uses = moduleOf(text, true) === undefined ? rowOf(text).row.uses(text) : SPECIAL_SETTINGS;
  const given = SPECIAL_SETTINGS.filter((name) => (settings[name] ?? false) !== false);
  const unused = given.filter((name) => !uses.includes(name));
  return [
    ...(unused.length === 0 ? [] : [
      `${unused.map((name) => `--${SETTINGS[name].flag}`).join(", ")}: ` +
      `no effect on source ${maskUrl(text)}`,
    ]),
    ...(settings.tlsInsecure && uses.includes("tlsInsecure")
      ? [
        "WARNING: certificates are not checked (--tls-insecure): another machine may pose as the camera",
      ]
      : []),
  ];
}

/** @throws {SourceError} `INVALID` if `--codec copy` cannot work, whatever the source sends. */
function refuseCopy(
  text: string,
  { video = false }: SourceType,
  { codec, size, quality, fps }: CameraSettings,
  source?: { readonly kind: SourceKind; readonly description: string },
): void {
  if (codec !== "copy") return;
  const faults = [
    ...(video && source?.kind !== "collection" ? [] : ["it contains no H.264 or H.265"]),
    ...(size === undefined ? [] : ["--size requires re-encoding"]),
    ...(quality === undefined ? [] : ["--quality requires re-encoding"]),
    ...(source?.kind === "live" && typeof fps === "number"
      ? ["--fps drops frames that others depend on"]
      : []),
  ];
  if (faults.length === 0) return;
  throw new SourceError(
    "INVALID",
    `Cannot use --codec copy with source ${source?.description ?? text}: ${
      faults.join("; ")
    }; expected --codec auto or jpeg`,
  );
}

/** An address without a protocol; text before an `@` is not shown, since it may hold a password. */
const ADDRESS = /^(?:[^/]*@)?([\w.-]+:\d{1,5}(?:\/|$)|(?<=@))/;
const PATH_WITH_COLON = /^[^/?]*[^/?:](?:\.\w{2,5}$|\/)/;

/** @throws {SourceError} `INVALID` if the text starts with neither a scheme nor a path. */
function rowOf(text: string): { readonly row: SourceKindRow; readonly rest: string } {
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(text)?.[1]?.toLowerCase() ?? "";
  const row = ROWS.find(({ schemes }) => schemes.includes(scheme));
  if (row !== undefined && scheme !== "") return { row, rest: text.slice(scheme.length + 1) };
  if (ADDRESS.test(text)) {
    throw new SourceError(
      "INVALID",
      "Cannot use an address without its protocol: expected rtsp://HOST… or http://HOST…, or ./PATH",
    );
  }
  if (scheme === "" || PATH_WITH_COLON.test(text)) return { row: pathRow, rest: text };
  throw new SourceError(
    "INVALID",
    `Cannot use a source that starts with "${scheme}:": expected ${acceptedSources()}`,
  );
}

function pathOf(text: string, rest: string): string {
  const path = /^file:\/\//i.test(text) ? fileURLToPath(text) : rest;
  if (path === "-" || path === "/dev/stdin") {
    throw new SourceError(
      "INVALID",
      "Cannot use standard input as a source: expected the path of a file, or of a named pipe (mkfifo)",
    );
  }
  if (path !== "") return path;
  throw new SourceError("INVALID", `Cannot use an empty source: expected ${acceptedSources()}`);
}

async function loadType({ path }: ModuleUri): Promise<SourceType> {
  const fault = (why: string, cause?: unknown) =>
    new SourceError("INVALID", `Cannot use ${path} as a source: ${why}`, { cause });
  const url = path.startsWith("file://") ? path : pathToFileURL(resolve(path)).href;
  let type: Partial<SourceType> | undefined;
  try {
    ({ default: type } = await import(url) as { default?: Partial<SourceType> });
  } catch (error) {
    throw fault(messageOf(error).replace(/\.$/, ""), error);
  }
  if (typeof type?.make === "function") return type as SourceType;
  throw fault("expected its default export to be sourceType({ form, help, make })");
}
