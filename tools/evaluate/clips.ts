// Finds labelled clips.
import { dirname, extname, isAbsolute, join } from "node:path";

export interface LabelledClip {
  /** A video file or a folder of images. */
  readonly path: string;
  /** True if it shows what the model detects. */
  readonly positive: boolean;
  /** When that starts and ends, milliseconds from the start; the whole clip by default. */
  readonly fromMs?: number;
  readonly toMs?: number;
}

const VIDEOS = [".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".ts"];
const IMAGES = [".jpg", ".jpeg", ".png", ".webp"];

/** Invalid clips, with all faults. */
export class ClipsError extends Error {
  override readonly name = "ClipsError";
  readonly faults: readonly string[];

  constructor(path: string, faults: readonly string[]) {
    super(`Cannot use clips ${path}:\n${faults.map((fault) => `  ${fault}`).join("\n")}`);
    this.faults = faults;
  }
}

/**
 * Finds labelled clips: in a folder, whose subfolders are labels and contain videos or folders of
 * images; or in a JSON list of `{"file": …, "label": …, "fromMs": …, "toMs": …}`, whose files are
 * relative to it.
 *
 * @param label what the model detects: clips with this label are positive, all others negative
 * @throws {ClipsError} naming all faults.
 */
export function findClips(path: string, label: string): LabelledClip[] {
  const clips = Deno.statSync(path).isDirectory ? inFolder(path, label) : inList(path, label);
  const positive = clips.filter((clip) => clip.positive).length;
  if (clips.length === 0) throw new ClipsError(path, ["expected clips, found none"]);
  if (positive === 0) throw new ClipsError(path, [`expected clips with the label ${label}`]);
  if (positive === clips.length) {
    throw new ClipsError(path, [`expected clips without the label ${label} too`]);
  }
  return clips;
}

function inFolder(path: string, label: string): LabelledClip[] {
  const clips: LabelledClip[] = [];
  for (const { name, isDirectory } of entriesOf(path)) {
    if (!isDirectory) continue;
    for (const clip of entriesOf(join(path, name))) {
      const isClip = clip.isDirectory
        ? entriesOf(join(path, name, clip.name)).some((file) => hasExtension(file.name, IMAGES))
        : hasExtension(clip.name, VIDEOS);
      if (!isClip) continue;
      const positive = name.toLowerCase() === label.toLowerCase();
      clips.push({ path: join(path, name, clip.name), positive });
    }
  }
  return clips;
}

function entriesOf(path: string): Deno.DirEntry[] {
  return [...Deno.readDirSync(path)].sort((a, b) => a.name < b.name ? -1 : 1);
}

function hasExtension(name: string, extensions: readonly string[]): boolean {
  return extensions.includes(extname(name).toLowerCase());
}

function inList(path: string, label: string): LabelledClip[] {
  let json: unknown;
  try {
    json = JSON.parse(Deno.readTextFileSync(path));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new ClipsError(path, [`expected JSON: ${error.message}`]);
  }
  if (!Array.isArray(json)) throw new ClipsError(path, ["expected a list of clips"]);
  const faults: string[] = [];
  const clips = json.map((entry, i): LabelledClip => {
    const { file, label: own, fromMs, toMs, ...more } = Object(entry) as Record<string, unknown>;
    const wrong = (field: string, accepted: string, given: unknown) =>
      faults.push(`[${i}].${field}: expected ${accepted}, given ${JSON.stringify(given)}`);
    if (typeof file !== "string" || file === "") wrong("file", "the path of a clip", file);
    if (typeof own !== "string" && own !== null) wrong("label", "a text, or null for none", own);
    for (const name of Object.keys(more)) {
      faults.push(`[${i}].${name}: unknown field, accepted are file, label, fromMs, toMs`);
    }
    for (const [name, value] of Object.entries({ fromMs, toMs })) {
      if (value === undefined || (typeof value === "number" && value >= 0)) continue;
      wrong(name, "milliseconds from 0 up", value);
    }
    if (typeof fromMs === "number" && typeof toMs === "number" && fromMs >= toMs) {
      wrong("toMs", `more than fromMs, which is ${fromMs}`, toMs);
    }
    const full = isAbsolute(String(file)) ? String(file) : join(dirname(path), String(file));
    return {
      path: full,
      positive: own === label,
      ...(typeof fromMs === "number" ? { fromMs } : {}),
      ...(typeof toMs === "number" ? { toMs } : {}),
    };
  });
  if (faults.length > 0) throw new ClipsError(path, faults);
  return clips;
}
