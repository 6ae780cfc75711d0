// Keeps a paused former owner from changing files that have a new owner.
//
// Each owner claims a generation: a folder `g1`, `g2`, … below a root, made with `mkdir`, which
// only one can win. What an owner makes visible under a lasting name is prepared inside its
// generation and renamed from there. A successor first moves the older generations into its own;
// from then on every rename of a former owner fails, because its source is gone. What a former
// owner still writes through open descriptors goes to files that the successor has replaced.
//
// Obligation of the caller: claim first, and change nothing lasting before the checkpoint has
// confirmed this ownership after the claim (a batch was planned or is known to be committed). Then
// a later owner also claims later.
import { read } from "../../base/errors.ts";
import { ifThere } from "../../base/folders.ts";
import { SinkError } from "./failure.ts";

const GENERATION = /^g(\d{1,15})$/;
const PREVIOUS = /^previous-(\d{1,15})$/;
/** Former owners' folders kept until a commit. */
const MAXIMUM_PREVIOUS = 8;

export class Fence {
  readonly directory: string;
  readonly generation: number;
  readonly #root: string;
  #confirmed = false;

  private constructor(root: string, generation: number) {
    this.#root = root;
    this.generation = generation;
    this.directory = `${root}/g${generation}`;
  }

  static async claim(root: string): Promise<Fence> {
    await Deno.mkdir(root, { recursive: true });
    for (;;) {
      const generation = (generationsOf(root, GENERATION)[0] ?? 0) + 1;
      try {
        await Deno.mkdir(`${root}/g${generation}`);
        return new Fence(root, generation);
      } catch (error) {
        if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      }
    }
  }

  static generations(root: string): number[] {
    return generationsOf(root, GENERATION);
  }

  /**
   * Moves all older generations into this one, so that their owners can no longer rename anything.
   *
   * @returns their folders now, newest first.
   */
  async adopt(): Promise<string[]> {
    await this.#take(this.#root, "g", GENERATION);
    // An owner that crashed early, or was itself fenced, may not have adopted all older ones.
    for (const generation of generationsOf(this.directory, PREVIOUS)) {
      await this.#take(`${this.directory}/previous-${generation}`, "previous-", PREVIOUS);
    }
    return this.#previous;
  }

  async #take(from: string, prefix: string, pattern: RegExp): Promise<void> {
    for (const generation of generationsOf(from, pattern)) {
      if (generation >= this.generation) continue;
      const to = `${this.directory}/previous-${generation}`;
      await ifThere(Deno.rename(`${from}/${prefix}${generation}`, to));
    }
  }

  /** The folders that `adopt` moved here and were not removed, newest first. */
  get #previous(): string[] {
    return generationsOf(this.directory, PREVIOUS)
      .map((generation) => `${this.directory}/previous-${generation}`);
  }

  /** Removes the folders of all former owners but a few, before this owner's first commit. */
  async trim(): Promise<void> {
    await this.#remove(this.#previous.slice(MAXIMUM_PREVIOUS));
  }

  /** Removes the folders of former owners, once this one is known to be the current one. */
  async confirm(): Promise<void> {
    if (!this.#confirmed) await this.guard(() => this.#remove(this.#previous));
    this.#confirmed = true;
  }

  async #remove(folders: readonly string[]): Promise<void> {
    for (const folder of folders) {
      try {
        await Deno.remove(folder, { recursive: true });
      } catch (error) {
        // NFS and FUSE keep a file that is open under another name, which NFS refuses to remove: the next owner
        // does it.
        if (!["ENOTEMPTY", "EBUSY"].includes(String(read(error, "code")))) throw error;
      }
    }
  }

  get held(): boolean {
    return generationsOf(this.#root, GENERATION)[0] === this.generation;
  }

  /** @throws {SinkError} `TAKEN_OVER` if there is a newer owner, `FAILED` if there is no owner left */
  check(): void {
    const [newest] = generationsOf(this.#root, GENERATION);
    if (newest === this.generation) return;
    throw newest === undefined
      ? new SinkError("FAILED", `Cannot write below ${this.directory}: it was removed while in use`)
      : new SinkError(
        "TAKEN_OVER",
        `Cannot write below ${this.directory}: another owner took over`,
      );
  }

  /** @throws {SinkError} `TAKEN_OVER` when something is not found and another owner has come. */
  async guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) this.check();
      throw error;
    }
  }

  /**
   * Renames `name` of this generation to a lasting path, replacing any file there.
   *
   * @throws {SinkError} `TAKEN_OVER` if there is a newer owner.
   */
  publish(name: string, path: string): Promise<void> {
    return this.guard(() => Deno.rename(`${this.directory}/${name}`, path));
  }
}

function generationsOf(directory: string, pattern: RegExp): number[] {
  const found: number[] = [];
  try {
    for (const entry of Deno.readDirSync(directory)) {
      const match = pattern.exec(entry.name);
      if (match !== null) found.push(Number(match[1]));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return found.sort((a, b) => b - a);
}
