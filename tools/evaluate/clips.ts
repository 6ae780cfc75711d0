// Finds labelled clips.
import { dirname, extname, isAbsolute, join } from "node:path";
import { FaultsError, readJson } from "../../runtime/base/json_file.ts";
import { type Fault, Fields } from "../../runtime/base/fields.ts";

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
export class ClipsError extends FaultsError {
  constructor(path: string, faults: readonly (string | Fault)[], options?: ErrorOptions) {
    super("clips", path, faults, options);
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
  const clips = isFolder(path) ? inFolder(path, label) : inList(path, label);
  const positive = clips.filter((clip) => clip.positive).length;
  if (clips.length === 0) {
    throw new ClipsError(path, ["expected a folder of clips for each label, found none"]);
  }
  if (positive === 0) throw new ClipsError(path, [`expected clips with the label ${label}`]);
  if (positive === clips.length) {
    throw new ClipsError(path, [`expected clips without the label ${label} too`]);
  }
  return clips;
}

/** What is not there is read as a list, which says so. */
function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
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
      clips.push({ path: join(path, name, clip.name), positive: isSame(name, label) });
    }
  }
  return clips;
}

/** Names of folders may not keep upper case. */
function isSame(own: string, label: string): boolean {
  return own.toLowerCase() === label.toLowerCase();
}

function entriesOf(path: string): Deno.DirEntry[] {
  return [...Deno.readDirSync(path)].sort((a, b) => a.name < b.name ? -1 : 1);
}

function hasExtension(name: string, extensions: readonly string[]): boolean {
  return extensions.includes(extname(name).toLowerCase());
}

function inList(path: string, label: string): LabelledClip[] {
  const fields = new Fields({ clips: readJson(path, ClipsError) }, ["clips"]);
  const clips = fields.objects("clips", ["file", "label", "fromMs", "toMs"], (clip) => {
    const file = clip.text("file"), own = clip.given["label"];
    if (own !== null) clip.text("label");
    return {
      path: isAbsolute(file) ? file : join(dirname(path), file),
      positive: typeof own === "string" && isSame(own, label),
      ...timesOf(clip),
    };
  });
  if (fields.faults.length > 0) throw new ClipsError(path, fields.faults);
  return clips;
}

function timesOf(clip: Fields): Pick<LabelledClip, "fromMs" | "toMs"> {
  const range = { min: 0, max: Number.MAX_VALUE };
  const given = (["fromMs", "toMs"] as const).filter((name) => clip.given[name] !== undefined);
  const times: { fromMs?: number; toMs?: number } = Object.fromEntries(
    given.map((name) => [name, clip.number(name, range)]),
  );
  const { fromMs = 0, toMs = Infinity } = times;
  if (fromMs >= toMs) clip.add("toMs", `more than fromMs, which is ${fromMs}`);
  return times;
}
