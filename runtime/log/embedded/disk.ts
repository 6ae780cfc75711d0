// Disk space, and when what was written is on the disk.
import { statfsSync } from "node:fs";

/** Free bytes; undefined without the permission (`--allow-sys=statfs`). */
export function freeBytes(dir: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(dir);
    return bavail * bsize;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}

/** Size of a file; 0 if it does not exist. */
export function sizeOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch (error) {
    ignoreMissing(error);
    return 0;
  }
}

/** Throws all errors but `NotFound`. */
export function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

export async function syncPath(path: string): Promise<void> {
  using file = await Deno.open(path);
  await file.sync();
}

/** Syncs what was written to a file. */
export class Sync {
  readonly #run: () => Promise<void>;
  #dirty = false;
  #running: Promise<void> | undefined;

  constructor(run: () => Promise<void>) {
    this.#run = run;
  }

  /** Call after each write. */
  written(): void {
    this.#dirty = true;
  }

  get isDue(): boolean {
    return this.#dirty || this.#running !== undefined;
  }

  /** Resolves when all that was written is on the disk, also if another call began to sync it. */
  async finished(): Promise<void> {
    if (!this.#dirty) return await this.#running;
    this.#dirty = false;
    const running = this.#running = this.#run();
    try {
      await running;
    } catch (error) {
      this.#dirty = true;
      throw error;
    } finally {
      if (this.#running === running) this.#running = undefined;
    }
  }
}
