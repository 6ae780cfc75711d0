// A folder of images as a camera.
import { messageOf } from "../../runtime/base/errors.ts";
import { pathFault } from "../../runtime/base/given_file.ts";
import { join, resolve } from "node:path";
import { BadFrameError } from "../../runtime/definition/frame.ts";
import { DEFAULT_MAX_BYTES } from "../../runtime/image/inspect.ts";
import { decodeImage } from "../../runtime/image/mod.ts";
import { Annotations } from "../annotations.ts";
import { FolderWatch } from "../folder_watch.ts";
import { inNaturalOrder } from "../natural_order.ts";
import { FILE_HEADER, PublishedFiles, VERSION_HEADER } from "../published.ts";
import { isWholePicture } from "../net/picture_stream.ts";
import { reshape } from "../reshape.ts";
import {
  type CameraSource,
  type ImageSettings,
  NOT_PERMITTED,
  type SourceContext,
  SourceError,
  type SourceImage,
} from "../source.ts";

interface FolderOptions extends ImageSettings {
  /**
   * - `watch`: the existing images in natural order, then new ones as they appear; each is
   *   published once, even across restarts;
   * - `once`: the existing images that were not published before, then it ends;
   * - `loop`: the existing images, repeatedly.
   */
  readonly mode?: "watch" | "once" | "loop";
  /** After this long unchanged, an incomplete file is broken, milliseconds; 2 000 by default. */
  readonly settleMs?: number;
}

const IMAGE_NAME = /\.(?:jpe?g|jfif|jpe|png|webp)$/i;
const OTHER_IMAGE_NAME =
  /\.(?:bmp|tiff?|gif|heic|heif|avif|jp2|j2k|jxl|svg|dng|cr2|cr3|nef|arw|raw|ppm|pgm|tga|ico)$/i;
const SETTLE_MS = 2_000;

interface Candidate {
  /** Path within the folder, with `/`. */
  readonly file: string;
  /** Size and modification time. */
  readonly version: string;
  readonly size: number;
}

/** False also where that is not known, as behind a broken or forbidden link: its reader reports why. */
export async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch {
    return false; // Reported later.
  }
}

async function checkFolder(path: string, action: string): Promise<void> {
  let fault = "it is not a folder";
  try {
    if ((await Deno.stat(path)).isDirectory) return;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) {
      throw new SourceError("UNREADABLE", `${action}: ${pathFault(error)}`);
    }
    fault = "there is no such folder";
  }
  throw new SourceError("MISSING", `${action}: ${fault}`);
}

export class FolderSource implements CameraSource {
  readonly description: string;
  readonly kind = "collection";
  readonly #folder: string;
  readonly #options: FolderOptions;
  /** File extensions and paths reported as skipped. */
  readonly #reported = new Set<string>();
  #expected: number | undefined;
  /** Why the folder cannot be looked into, as it was reported last. */
  #away: string | undefined;

  constructor(path: string, options: FolderOptions = {}) {
    this.description = path;
    this.#folder = resolve(path);
    this.#options = options;
  }

  expectedImages(): number | undefined {
    return this.#expected;
  }

  async *open({ clock, signal, report, target }: SourceContext): AsyncGenerator<SourceImage> {
    const { mode = "watch", settleMs = SETTLE_MS } = this.#options;
    await checkFolder(this.#folder, `Cannot open folder ${this.description}`);
    if (mode === "watch" && target === undefined) {
      throw new SourceError(
        "INVALID",
        `Cannot watch folder ${this.description}: there is no record of what was published`,
      );
    }
    const annotations = new Annotations(this.#folder);
    using watch = mode === "watch" ? new FolderWatch(this.#folder, clock, signal) : undefined;
    const published = mode === "loop" || target === undefined
      ? undefined
      : await PublishedFiles.open(target, this.#folder, report);
    /** Versions that were found broken, or yielded to be published once, by file. */
    const settled = new Map<string, string>();
    /** Incomplete files, with their version and when it was first seen. */
    const incomplete = new Map<string, { readonly version: string; readonly since: number }>();
    let files = await this.#list(report);
    this.#expected = mode === "once" ? files.length : undefined;
    while (!signal.aborted) {
      await annotations.refresh(report);
      const due: string[] = [];
      let usable = 0;
      for (const file of files) {
        if (signal.aborted) return;
        const version = (await this.#stat(file))?.version;
        if (version === undefined) incomplete.delete(file);
        else if (published?.has(file, version)) usable++;
        else if (settled.get(file) !== version) due.push(file);
      }
      for (const file of await inNaturalOrder(due)) {
        if (signal.aborted) return;
        const candidate = await this.#stat(file);
        if (candidate === undefined) continue;
        const { version } = candidate;
        const now = clock.monotonic(), earlier = incomplete.get(file);
        const since = earlier?.version === version ? earlier.since : now;
        const isStable = mode !== "watch" || now - since >= settleMs;
        const image = await this.#read(candidate, annotations, isStable);
        if (image instanceof BadFrameError) {
          if (!isStable) {
            incomplete.set(file, { version, since });
            continue;
          }
          incomplete.delete(file);
          settled.set(file, version);
          report(`${join(this.description, file)} was skipped: ${image.message}`);
          continue;
        }
        incomplete.delete(file);
        usable++;
        if (published === undefined) {
          yield image;
          continue;
        }
        settled.set(file, version);
        yield {
          ...image,
          delivered: async (offset) => {
            await published.add(file, version, offset);
            // Meanwhile a newer version may wait for the log.
            if (settled.get(file) === version) settled.delete(file);
          },
        };
      }
      if (watch !== undefined) {
        const changed = await watch.changes(incomplete.size > 0);
        files = changed === "all"
          ? await this.#listAgain(watch, report)
          : [...new Set([...changed, ...incomplete.keys()])]
            .filter((path) => this.#isImage(path, report));
      } else if (usable === 0) {
        throw new SourceError(
          "MISSING",
          `Cannot use folder ${this.description}: it holds no JPEG, PNG or WebP image`,
        );
      } else if (mode === "once") return;
    }
  }

  /** All image files, none while the folder is away. */
  async #listAgain(watch: FolderWatch, report: (message: string) => void): Promise<string[]> {
    try {
      const found = await this.#list(report);
      if (this.#away !== undefined) {
        report(`Folder ${this.description} is back`);
        watch.restart();
      }
      this.#away = undefined;
      return found;
    } catch (error) {
      // An unplugged disk, an unavailable share.
      const why = error instanceof Deno.errors.NotFound
        ? "it is gone"
        : error instanceof Deno.errors.PermissionDenied
        ? NOT_PERMITTED
        : pathFault(error);
      if (why !== this.#away) report(`Cannot look into folder ${this.description}: ${why}`);
      this.#away = why;
      watch[Symbol.dispose]();
      return [];
    }
  }

  /** All image files. Follows symbolic links. */
  async #list(report: (message: string) => void): Promise<string[]> {
    const files: string[] = [];
    const walk = async (below: string, inside: readonly string[]) => {
      try {
        const folder = await Deno.realPath(join(this.#folder, below));
        // A link to a folder that contains it.
        if (inside.includes(folder)) return;
        for await (const entry of Deno.readDir(folder)) {
          const path = below === "" ? entry.name : `${below}/${entry.name}`;
          if (entry.name.startsWith(".")) continue;
          // Names that are not UTF-8 contain this character instead, and cannot be opened.
          if (entry.name.includes("\ufffd") && await this.#stat(path) === undefined) {
            leaveOut(path, new Error("Its name is not UTF-8"));
          }
          if (entry.isDirectory || (entry.isSymlink && await isFolder(join(this.#folder, path)))) {
            await walk(path, [...inside, folder]);
          } else if (this.#isImage(path, report)) files.push(path);
        }
      } catch (error) {
        // A subfolder may vanish meanwhile; the folder itself must exist.
        if (below === "") throw error;
        if (!(error instanceof Deno.errors.NotFound)) leaveOut(below, error as Error);
      }
    };
    const leaveOut = (path: string, { message }: Error) => {
      if (this.#reported.has(path)) return;
      this.#reported.add(path);
      report(`${join(this.description, path)} was skipped: ${message}`);
    };
    await walk("", []);
    return files;
  }

  /** Names that start with a dot belong to files still being written. */
  #isImage(path: string, report: (message: string) => void): boolean {
    if (path.split("/").some((part) => part.startsWith("."))) return false;
    if (IMAGE_NAME.test(path)) return true;
    const kind = OTHER_IMAGE_NAME.exec(path)?.[0].toLowerCase();
    if (kind !== undefined && !this.#reported.has(kind)) {
      this.#reported.add(kind);
      report(
        `Files that end in ${kind} are skipped, such as ${
          join(this.description, path)
        }: expected JPEG, PNG or WebP`,
      );
    }
    return false;
  }

  /** Undefined if it no longer exists, or is not a file. */
  async #stat(file: string): Promise<Candidate | undefined> {
    try {
      const { isFile, size, mtime } = await Deno.stat(join(this.#folder, file));
      return isFile ? { file, version: `${size}-${mtime?.getTime() ?? 0}`, size } : undefined;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      // Reading it reports the fault, which must not affect the folder's other images.
      return { file, version: "unreadable", size: 0 };
    }
  }

  /**
   * Reads an image, or returns why it is not usable (yet).
   *
   * @param isStable true if the file no longer changes: a missing end is then tolerated if the
   * image decodes, as in a query
   */
  async #read(
    { file, version, size }: Candidate,
    annotations: Annotations,
    isStable: boolean,
  ): Promise<SourceImage | BadFrameError> {
    if (size > DEFAULT_MAX_BYTES) {
      const most = `at most ${DEFAULT_MAX_BYTES} are accepted`;
      return new BadFrameError("too-large", `It has ${size} bytes: ${most}`);
    }
    let bytes: Uint8Array;
    try {
      bytes = await Deno.readFile(join(this.#folder, file));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return new BadFrameError("empty", "It is gone");
      return new BadFrameError("unreadable", messageOf(error));
    }
    // The file must not have changed, or it would be published twice.
    if ((await this.#stat(file))?.version !== version) {
      return new BadFrameError("corrupt", "It changed while it was read");
    }
    try {
      const ends = bytes.length === 0 || isWholePicture(bytes);
      if (!ends && !isStable) throw new BadFrameError("corrupt", "It is being written");
      const image = await reshape(bytes, this.#options);
      if (!ends) (await decodeImage(bytes, 1)).release();
      const headers = {
        ...annotations.of(file),
        [FILE_HEADER]: file,
        [VERSION_HEADER]: version,
      };
      return { ...image, timestamp: 0, headers };
    } catch (error) {
      if (error instanceof BadFrameError) return error;
      throw error;
    }
  }
}
