// What a lane has written but not made visible: durable before the commit, published after it, and
// discarded if the commit never happens.
//
// A lane's folder contains generations (see `fence.ts`); each has a journal, a list of entries with
// checksums, and files that entries name (pictures). A new owner reads the journals of its
// predecessors and publishes what was committed in the meantime; the rest disappears with their
// generations, which are kept until the owner's first commit.
import { syncPath } from "../../base/folders.ts";
import { Fence } from "./fence.ts";
import { readEntries, writeEntries } from "./io.ts";

interface Form {
  /** The journal's name in its generation. */
  readonly name: string;
  /** Bytes before each entry. */
  readonly headerBytes: number;
}

export interface Left<E> {
  /** A former owner's generation. */
  readonly folder: string;
  readonly entries: readonly E[];
}

/** The owner's journal of a lane. Calls must not overlap. */
export class Journal<E> {
  readonly fence: Fence;
  /** The journals of former owners, newest first; none after `confirm`. */
  left: readonly Left<E>[];
  readonly #form: Form;
  #file: Deno.FsFile;
  size = 0;

  private constructor(fence: Fence, form: Form, left: readonly Left<E>[], file: Deno.FsFile) {
    this.fence = fence;
    this.#form = form;
    this.left = left;
    this.#file = file;
  }

  /** Takes over a lane. */
  static async open<E>(root: string, form: Form): Promise<Journal<E>> {
    const fence = await Fence.claim(root);
    return await fence.guard(async () => {
      const left: Left<E>[] = [];
      for (const folder of await fence.adopt()) {
        left.push({ folder, entries: await entriesIn(folder, form) });
      }
      const file = await openEmpty(`${fence.directory}/${form.name}`);
      try {
        await syncPath(fence.directory);
        await syncPath(root);
        return new Journal(fence, form, left, file);
      } catch (error) {
        file.close();
        throw error;
      }
    });
  }

  async entries(): Promise<E[]> {
    return await entriesIn(this.fence.directory, this.#form);
  }

  /** Adds entries, which then survive a crash of the machine. */
  async add(...entries: readonly E[]): Promise<void> {
    await this.write(...entries);
    await this.#file.syncData();
  }

  /** Adds entries, which survive the death of the process. */
  async write(...entries: readonly E[]): Promise<void> {
    this.size = await writeEntries(this.#file, this.size, entries, this.#form.headerBytes);
  }

  /** Clears the entries once they are durable elsewhere. */
  async clear(): Promise<void> {
    await this.#file.truncate(0);
    this.size = 0;
  }

  /** Replaces the entries, of this journal or that of a former owner. */
  async replace(entries: readonly E[], folder = this.fence.directory): Promise<void> {
    const path = `${folder}/${this.#form.name}`;
    let size: number;
    {
      using file = await openEmpty(`${path}.new`);
      size = await writeEntries(file, 0, entries, this.#form.headerBytes);
      await file.sync();
    }
    await Deno.rename(`${path}.new`, path);
    await syncPath(folder);
    if (folder !== this.fence.directory) return;
    this.#file.close();
    this.#file = await Deno.open(path, { write: true });
    this.size = size;
  }

  /** Completes the takeover with this owner's first commit. */
  async confirm(): Promise<void> {
    await this.fence.confirm();
    this.left = [];
  }

  close(): void {
    this.#file.close();
  }
}

function entriesIn<E>(folder: string, { name, headerBytes }: Form): Promise<E[]> {
  return readEntries<E>(`${folder}/${name}`, headerBytes);
}

function openEmpty(path: string): Promise<Deno.FsFile> {
  return Deno.open(path, { write: true, create: true, truncate: true });
}
