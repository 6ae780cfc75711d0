/**
 * The table of sources, and making a source of what a person wrote.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import type { UriAccess } from "../runtime/base/access.ts";
import type { CameraSettings } from "./settings.ts";
import { type CameraSource, SourceError } from "./source.ts";
import { imageSettings, type SourceKindRow } from "./source_kind.ts";
import { deviceRow } from "./sources/device.ts";
import { VideoFileSource } from "./sources/file.ts";
import { FolderSource } from "./sources/folder.ts";
import { mjpegRow } from "./sources/mjpeg.ts";
import { panRow } from "./sources/pan.ts";
import { patternRow } from "./sources/pattern.ts";
import { rtspRow } from "./sources/rtsp.ts";

/** Files and folders need no scheme; `file:` may stand before them. */
const pathRow: SourceKindRow = {
  schemes: ["", "file"],
  form: "a video file, a folder of images",
  help: "Any video file that FFmpeg reads; a folder of JPEG, PNG and WebP images",
  access: { target: "read" },
  video: true,
  make: (text, rest, settings) =>
    fromPath(/^file:\/\//i.test(text) ? fileURLToPath(text) : rest, settings),
};

/** A new kind of source is one file and its row here. */
const rows: SourceKindRow[] = [pathRow, rtspRow, mjpegRow, deviceRow, patternRow, panRow];

/**
 * Adds a kind of source of your own, before any source is made.
 *
 * @throws {RangeError} when one of its schemes is taken.
 *
 * @example
 * ```ts
 * import { registerSource } from "./open.ts";
 * import { PatternSource } from "./sources/pattern.ts";
 *
 * registerSource({
 *   schemes: ["still"],
 *   form: "still:",
 *   help: "A pattern that stands still",
 *   access: {},
 *   make: (text) => new PatternSource(text, { motion: false }),
 * });
 * ```
 */
export function registerSource(row: SourceKindRow): void {
  const taken = row.schemes.find((scheme) => rowOf(scheme) !== undefined);
  if (taken !== undefined) throw new RangeError(`Cannot register source ${taken}: it is taken`);
  rows.push(row);
}

/** What a source may be, for help and messages. */
export function acceptedSources(): string {
  return rows.map(({ form }) => form).join(", ");
}

/** What each kind of source opens, by its scheme, for the launcher; "" is a path. */
export const SOURCE_ACCESS: Readonly<Record<string, UriAccess>> = Object.fromEntries(
  rows.flatMap(({ schemes, access }) => schemes.map((scheme) => [scheme, access] as const)),
);

/**
 * Makes a source of what `acceptedSources` names.
 * Nothing is opened; only whether a path is a folder is looked up.
 *
 * @throws {SourceError} `INVALID` saying what is accepted.
 */
export function makeSource(text: string, settings: CameraSettings = {}): CameraSource {
  const scheme = schemeOf(text);
  const rest = scheme === "" ? text : text.slice(scheme.length + 1);
  const row = rowOf(scheme);
  if (row !== undefined) return withoutCopyFaults(row.make(text, rest, settings), row, settings);
  if (!rest.startsWith("//") && kindOf(text) !== "missing") {
    return fromPath(text, settings);
  }
  throw new SourceError(
    "INVALID",
    `Cannot use a source that begins with "${scheme}:": expected ${acceptedSources()}`,
  );
}

/** @throws {SourceError} `INVALID` where `--codec copy` cannot be obeyed, whatever the source sends. */
function withoutCopyFaults(
  source: CameraSource,
  { video = false }: SourceKindRow,
  { codec, size, quality, fps }: CameraSettings,
): CameraSource {
  if (codec !== "copy") return source;
  const faults = [
    ...(video && source.kind !== "collection" ? [] : ["it holds no H.264 or H.265"]),
    ...(size === undefined ? [] : ["--size asks for other pictures"]),
    ...(quality === undefined ? [] : ["--quality asks for other pictures"]),
    ...(source.kind === "live" && typeof fps === "number"
      ? ["--fps leaves out frames that others depend on"]
      : []),
  ];
  if (faults.length === 0) return source;
  throw new SourceError(
    "INVALID",
    `Cannot use --codec copy with source ${source.description}: ${
      faults.join("; ")
    }; expected --codec auto or jpeg`,
  );
}

function schemeOf(text: string): string {
  return /^([a-z][a-z0-9+.-]+):/i.exec(text)?.[1]?.toLowerCase() ?? "";
}

function rowOf(scheme: string): SourceKindRow | undefined {
  return rows.find(({ schemes }) => schemes.includes(scheme));
}

function fromPath(path: string, settings: CameraSettings): CameraSource {
  const { fps, loop } = settings;
  const image = imageSettings(settings);
  if (path === "") {
    throw new SourceError("INVALID", `Cannot use an empty source: expected ${acceptedSources()}`);
  }
  if (kindOf(path) !== "folder") {
    return new VideoFileSource(path, { ...image, loop: loop ?? false, bulk: fps === "max" });
  }
  const mode = loop === undefined ? "watch" : loop ? "loop" : "once";
  return new FolderSource(path, { ...image, mode });
}

function kindOf(path: string): "folder" | "file" | "missing" {
  try {
    return Deno.statSync(path).isDirectory ? "folder" : "file";
  } catch (error) {
    // Other faults are reported when it is opened.
    if (error instanceof Deno.errors.NotFound) return "missing";
    return "file";
  }
}
