// Which processes have the log open: each locks its own file, and the operating system
// releases the lock with the process.
import { join } from "node:path";
import { createLocked, ignoreMissing } from "./disk.ts";
import { modes } from "./private_files.ts";

export class Presence {
  readonly id: string;
  readonly #path: string;
  readonly #file: Deno.FsFile;

  private constructor(id: string, path: string, file: Deno.FsFile) {
    this.id = id;
    this.#path = path;
    this.#file = file;
  }

  static async show(dir: string): Promise<Presence> {
    const folder = join(dir, "open");
    await Deno.mkdir(folder, { recursive: true, mode: modes.folder });
    const id = crypto.randomUUID();
    const path = join(folder, id);
    return new Presence(id, path, createLocked(path)!);
  }

  /** Whether any process has the log open, and those that ended without removing their file. */
  static async look(dir: string): Promise<{ any: boolean; ended: string[] }> {
    const looked = { any: false, ended: [] as string[] };
    try {
      for await (const { name } of Deno.readDir(join(dir, "open"))) {
        if (name.startsWith(".")) continue;
        const present = await isPresent(dir, name);
        if (present === true) looked.any = true;
        if (present === false) looked.ended.push(name);
      }
    } catch (error) {
      ignoreMissing(error);
    }
    return looked;
  }

  static async forget(dir: string, ended: readonly string[]): Promise<void> {
    for (const id of ended) await Deno.remove(join(dir, "open", id)).catch(ignoreMissing);
  }

  async end(): Promise<void> {
    this.#file.close();
    await Deno.remove(this.#path).catch(ignoreMissing);
  }
}

/**
 * Whether the process still has the log open; a stopped one has. Undefined without its file: it closed
 * the log, or someone removed the file.
 */
export async function isPresent(dir: string, id: string): Promise<boolean | undefined> {
  try {
    using file = await Deno.open(join(dir, "open", id), { write: true });
    return !await file.tryLock(true);
  } catch (error) {
    ignoreMissing(error);
    return undefined;
  }
}
