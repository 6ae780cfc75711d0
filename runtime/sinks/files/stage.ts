// What a lane has written but not committed: durable before the commit, made visible after it, and
// discarded if the commit never happens.
//
// A lane's folder contains generations (see `fence.ts`); each has a file `stage`, a list of entries
// with checksums, and files that entries name (pictures). A new owner reads the stages of its
// predecessors and makes visible what was committed in the meantime; the rest disappears with their
// generations.
import { Fence } from "./fence.ts";
import { readEntries, syncDirectory, writeEntries } from "./io.ts";
import type { Position } from "./lane.ts";

const HEADER_BYTES = 16;

export interface Entry {
  readonly position: Position;
  /** First source offset of the batch. */
  readonly start: number;
  /** Lines for the shared file. */
  readonly lines: string;
  /** Names of files in the lane's generation to make visible under the same names. */
  readonly files: readonly string[];
}

export interface Left {
  /** Contains the files of the entries that are not visible yet. */
  readonly folder: string;
  readonly entries: readonly Entry[];
}

/** The owner's stage of a lane. Calls must not overlap. */
export class Stage {
  readonly fence: Fence;
  readonly #file: Deno.FsFile;
  #size = 0;

  private constructor(fence: Fence, file: Deno.FsFile) {
    this.fence = fence;
    this.#file = file;
  }

  /** Takes over a lane; also returns the stages of former owners, newest first. */
  static async open(root: string): Promise<{ stage: Stage; left: Left[] }> {
    const fence = await Fence.claim(root);
    return await fence.guard(async () => {
      const left: Left[] = [];
      for (const folder of await fence.adopt()) {
        left.push({ folder, entries: await readEntries<Entry>(`${folder}/stage`, HEADER_BYTES) });
      }
      const file = await Deno.open(`${fence.directory}/stage`, { write: true, create: true });
      try {
        await syncDirectory(fence.directory);
        await syncDirectory(root);
        return { stage: new Stage(fence, file), left };
      } catch (error) {
        file.close();
        throw error;
      }
    });
  }

  get size(): number {
    return this.#size;
  }

  async add(entry: Entry): Promise<void> {
    this.#size = await writeEntries(this.#file, this.#size, [entry], HEADER_BYTES);
    await this.#file.syncData();
  }

  /** Clears the entries once they are durable elsewhere. */
  async clear(): Promise<void> {
    if (this.#size === 0) return;
    await this.#file.truncate(0);
    this.#size = 0;
  }

  close(): void {
    this.#file.close();
  }
}
