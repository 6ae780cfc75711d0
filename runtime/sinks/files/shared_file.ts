// A file of lines shared by many lanes in several workers and processes: an `events` file, or the
// `annotations.csv` of an `images` folder. Lines are added after the commit of their batch, exactly
// once, despite crashes at any time.
//
// Next to the file is a hidden folder with generations (see `fence.ts`); each contains
// - `data`: a hard link to the file. Writers open this, never the lasting name, so that a writer
//   that was paused writes to the old file;
// - `meta`: the valid length of the file, and each lane's last batch in it; and before lines are written,
//   which ones. Its lock is held meanwhile. If a process died, the next writer finds all these lines and counts
//   them, or cuts a part of them off. More than these lines were added by the user, and stay.
//
// A writer that holds the lock without a sign of life (it was paused) is abandoned: a new generation with a
// copy of the file replaces the old one. A writer that finds, after writing, that its generation is
// no longer the newest checks whether the newer one contains its batch, and otherwise writes it
// again.
import { crc32 } from "node:zlib";
import { Semaphore } from "../../base/wait.ts";
import { SinkError } from "./failure.ts";
import { Fence } from "./fence.ts";
import { ifThere, splitPath } from "../../base/folders.ts";
import { copyLines, readAt, readLines } from "./io.ts";
import type { Position } from "./lane.ts";
import {
  advance,
  append,
  type Content,
  type Generation,
  type Lines,
  type Meta,
  openGeneration,
  settled,
  showingLife,
  signOfLife,
} from "./shared_generation.ts";

interface Request extends Lines {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export interface SharedFileOptions {
  /** Hidden folder next to the file, on the same file system. */
  readonly root: string;
  /** First line of a new file, with its line break. */
  readonly header?: string;
  /** How long another writer may hold the lock without a sign of life: then it counts as paused. Default 5 000. */
  readonly lockTimeoutMs?: number;
}

/** A file of lines shared by lanes. Lanes of one worker share one object: `SharedFile.open`. */
export class SharedFile {
  static readonly #open = new Map<string, SharedFile>();

  readonly path: string;
  readonly #root: string;
  readonly #header: Uint8Array;
  readonly #lockTimeoutMs: number;
  readonly #lifeMs: number;
  readonly #key: string;
  #users = 0;
  #generation: Generation | undefined;
  #queue: Request[] = [];
  readonly #turns = new Semaphore(1);
  #draining = false;
  /** The sync that waits for its turn. */
  #synced: Promise<void> | undefined;
  /** Whether the last request to sync was for the last lines for now. */
  #clean = false;
  /** True after checking the bytes that may not be durable. */
  #verified = false;

  private constructor(path: string, key: string, options: SharedFileOptions) {
    const { root, header = "", lockTimeoutMs = 5000 } = options;
    this.path = path;
    this.#key = key;
    this.#root = root;
    this.#header = new TextEncoder().encode(header);
    this.#lockTimeoutMs = lockTimeoutMs;
    this.#lifeMs = lockTimeoutMs / 10;
  }

  static async open(path: string, options: SharedFileOptions): Promise<SharedFile> {
    const { folder, name } = splitPath(path);
    await Deno.mkdir(folder, { recursive: true });
    const key = `${await Deno.realPath(folder)}/${name}`;
    let file = SharedFile.#open.get(key);
    if (file === undefined) {
      file = new SharedFile(path, key, options);
      SharedFile.#open.set(key, file);
    }
    file.#users++;
    try {
      await file.#exclusively(() => Promise.resolve());
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** The position of a lane; `foreign` if the file may contain uncounted lines of the lane. */
  async position(lane: string): Promise<{ position?: Position; foreign: boolean }> {
    return await this.#exclusively((_, meta) => {
      const position = meta.lanes[lane];
      return Promise.resolve({ ...(position && { position }), foreign: meta.foreign });
    });
  }

  /** Adds the lines of a committed batch once; concurrent requests are written together. */
  publish(lane: string, position: Position, bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ lane, position, bytes, resolve, reject });
      if (!this.#draining) void this.#drain();
    });
  }

  /**
   * Makes the lines durable that were added; requests that wait are done together.
   *
   * @param clean the last lines for now
   */
  sync(clean = false): Promise<void> {
    this.#clean = clean;
    this.#synced ??= this.#sync().finally(() => this.#synced = undefined);
    return this.#synced;
  }

  async #sync(): Promise<void> {
    await this.#exclusively(async ({ data, meta: file, slots }, meta) => {
      this.#synced = undefined;
      await data.syncData();
      const { size, lanes } = meta;
      await slots.write({
        from: meta.durable.size,
        ...meta,
        clean: this.#clean,
        durable: { size, lanes },
      });
      await file.syncData();
    });
  }

  /**
   * Removes the lines of a lane that are newer than its checkpoint.
   *
   * @param keep whether to keep a line; called for every line after the header
   * @param owner proof that the caller still owns the lane
   */
  async rewind(
    lane: string,
    position: Position,
    keep: (line: string) => boolean,
    owner: Fence,
  ): Promise<void> {
    const headerLines = this.#header.length === 0 ? 0 : 1;
    const keeps = (line: Uint8Array, index: number) =>
      index < headerLines || keep(new TextDecoder().decode(line));
    await this.#exclusively(async ({ number, data, slots }, meta) => {
      owner.check();
      const lanes = { ...meta.lanes, [lane]: position };
      let index = 0;
      let clean = true;
      for await (const lines of readLines(data, meta.size)) {
        clean = lines.every((line) => keeps(line, index++));
        if (!clean) break;
      }
      if (clean) return await slots.write({ ...meta, lanes });
      await this.#replace(number, {
        lanes,
        write: (target) => copyLines(data, meta.size, target, keeps),
      });
    });
  }

  async close(): Promise<void> {
    if (--this.#users > 0) return;
    SharedFile.#open.delete(this.#key);
    await this.#turns.run(() => this.#release());
  }

  async #drain(): Promise<void> {
    this.#draining = true;
    while (this.#queue.length > 0) {
      const requests = this.#queue;
      this.#queue = [];
      try {
        await this.#exclusively((generation, meta) => append(generation, meta, requests));
        for (const { resolve } of requests) resolve();
      } catch (error) {
        for (const { reject } of requests) reject(error);
      }
    }
    this.#draining = false;
  }

  // Runs `work` under the lock; again if a newer generation appeared meanwhile, unless `work` made
  // it (then it throws `Replaced`).
  #exclusively<T>(work: (generation: Generation, meta: Meta) => Promise<T>): Promise<T> {
    return this.#turns.run(async () => {
      for (;;) {
        const generation = await this.#lock();
        try {
          const folder = `${this.#root}/g${generation.number}`;
          const value = await showingLife(
            folder,
            this.#lifeMs,
            async () => await work(generation, await this.#repair(generation)),
          );
          if (this.#newest() === generation.number) return value;
        } catch (error) {
          if (error instanceof Replaced) {
            if (error.isDone) return undefined as T;
            continue;
          }
          throw error;
        } finally {
          await generation.meta.unlock();
        }
      }
    });
  }

  /** Replaces the generation with one of other content. Always throws `Replaced`. */
  async #replace(after: number, content: Content, isDone = true): Promise<never> {
    const change = { after, content };
    const done = await advance(this.path, this.#root, this.#header, change, this.#lifeMs);
    throw new Replaced(done && isDone);
  }

  #newest(): number | undefined {
    return Fence.generations(this.#root)[0];
  }

  async #lock(): Promise<Generation> {
    let waitedMs = 0;
    let pauseMs = 1;
    let last = "";
    for (;;) {
      const newest = this.#newest();
      const sign = `${newest} ${signOfLife(`${this.#root}/g${newest}`)}`;
      if (sign !== last) waitedMs = 0;
      last = sign;
      if (newest === undefined || waitedMs >= this.#lockTimeoutMs) {
        // Of several that find none, one makes the first: another could take its file for a user's.
        const first = newest === undefined ? { after: 0 } : undefined;
        await advance(this.path, this.#root, this.#header, first, this.#lifeMs);
        continue;
      }
      const generation = await this.#openNewest(newest);
      if (generation !== undefined && await generation.meta.tryLock(true)) {
        if (this.#newest() === newest) return generation;
        await generation.meta.unlock();
        continue;
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      waitedMs += pauseMs;
      pauseMs = Math.min(pauseMs * 2, 25);
    }
  }

  async #openNewest(number: number): Promise<Generation | undefined> {
    if (this.#generation?.number === number) return this.#generation;
    this.#release();
    this.#verified = false;
    return this.#generation = await openGeneration(this.#root, number);
  }

  #release(): void {
    this.#generation?.meta.close();
    this.#generation?.data.close();
    this.#generation = undefined;
  }

  /** Makes sure, under the lock, that the file has its valid length and is in its place. */
  async #repair(generation: Generation): Promise<Meta> {
    const { data, slots, number } = generation;
    const stored = await slots.read();
    if (stored === undefined) {
      throw new SinkError(
        "FAILED",
        `Cannot write ${this.path}: ${this.#root}/g${number}/meta is damaged. ` +
          "Move the file and that folder away to start a new one",
      );
    }
    const meta = await settled(data, stored);
    const { size, ino } = await data.stat();
    const existing = await ifThere(Deno.stat(this.path));
    const moved = existing === undefined || (ino !== null && existing.ino !== ino);
    // After a crash of the machine what is known may be older than the file: then its end is not a user's.
    const extended = (this.#verified || stored.clean) && size > (stored.next ?? stored).size;
    const changed = moved || extended;
    const checked = changed ? undefined : await this.#known(data, meta, size);
    if (checked === undefined) {
      // Moved away, as by log rotation, or edited: continues in what is there now.
      return await this.#replace(number, { lanes: meta.lanes }, false);
    }
    if (checked.size < size) await data.truncate(checked.size);
    if (checked !== meta || checked.size < size) await slots.write(checked);
    this.#verified = true;
    return checked;
  }

  /** The state, without bytes that a crash of the machine took; undefined if the file was edited in place. */
  async #known(data: Deno.FsFile, meta: Meta, size: number): Promise<Meta | undefined> {
    if (this.#verified && size === meta.size) return meta;
    const { durable, foreign, from = durable.size } = meta;
    const tail = await readAt(data, from, meta.size - from);
    if (from + tail.length === meta.size && crc32(tail) === meta.tail) return meta;
    // Bytes that were not durable are cut off or zeros after such a crash. Lines have no zeros.
    const lost = !this.#verified && meta.size > durable.size && size >= durable.size &&
      (size < meta.size || tail.includes(0));
    return lost ? { ...durable, durable, tail: 0, foreign } : undefined;
  }
}

/** Thrown after the generation was replaced; `isDone` if with the requested content. */
class Replaced extends Error {
  readonly isDone: boolean;

  constructor(isDone: boolean) {
    super("Replaced");
    this.isDone = isDone;
  }
}
