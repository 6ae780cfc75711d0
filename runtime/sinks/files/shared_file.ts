/**
 * One file of lines that many lanes write, in several workers and processes: an `events` file, the
 * `annotations.csv` of an `images` folder. Lines come in after the commit of their batch, once,
 * whatever dies and whenever.
 *
 * Beside the file lies a hidden folder with generations (see `fence.ts`); each holds
 * - `data`: a hard link to the file. Writers open this, never the lasting name, so that one who
 *   was paused writes to what had been the file then;
 * - `meta`: the length up to which the file counts, and each lane's last batch in it. Its lock is
 *   held while lines are added. Bytes beyond that length are of somebody who died: the next cuts them off.
 *
 * A writer that holds the lock for too long (it was paused) is left behind: a new generation with a
 * copy of the file replaces the old one. Who finds, after it has written, that its generation is no
 * longer the newest looks up in the newer one whether its batch got in, and else writes it again.
 *
 * @module
 */
import { crc32 } from "node:zlib";
import { SinkError } from "./failure.ts";
import { Fence } from "./fence.ts";
import { exists, readAt, splitPath, syncDirectory, writeAt } from "./io.ts";
import { Slots } from "./slots.ts";

const META_CAPACITY = 1 << 20;
/** Lines that may not be durable in the file yet (their stages are). */
const MAXIMUM_TAIL = 1 << 20;

/** Where a lane stands. */
export interface Position {
  readonly batch: number;
  /** One past the last source offset of that batch. */
  readonly end: number;
}

/** What lies in the file up to some length. */
interface Extent {
  readonly size: number;
  readonly lanes: Readonly<Record<string, Position>>;
}

interface Meta extends Extent {
  /** What of it survives a crash of the machine. */
  readonly durable: Extent;
  /** Checksum of the bytes from `durable.size` to `size`. */
  readonly tail: number;
}

interface Handles {
  readonly generation: number;
  readonly meta: Deno.FsFile;
  readonly data: Deno.FsFile;
  readonly slots: Slots<Meta>;
}

interface Request {
  readonly lane: string;
  readonly position: Position;
  readonly bytes: Uint8Array;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** How to keep a shared file. */
export interface SharedFileOptions {
  /** Hidden folder beside the file, on the same file system. */
  readonly root: string;
  /** First line of a new file. */
  readonly header?: string;
  /** How long another writer may hold the lock before it counts as paused. Default 5 000. */
  readonly lockTimeoutMs?: number;
}

/** A file of lines shared by lanes. Lanes of one worker share one object: `SharedFile.open`. */
export class SharedFile {
  static readonly #open = new Map<string, SharedFile>();

  readonly path: string;
  readonly #root: string;
  readonly #header: Uint8Array;
  readonly #lockTimeoutMs: number;
  readonly #key: string;
  #users = 0;
  #handles: Handles | undefined;
  #queue: Request[] = [];
  #turn: Promise<unknown> = Promise.resolve();
  #draining = false;
  #verified = false;

  private constructor(path: string, key: string, options: SharedFileOptions) {
    const { root, header = "", lockTimeoutMs = 5000 } = options;
    this.path = path;
    this.#key = key;
    this.#root = root;
    this.#header = new TextEncoder().encode(header);
    this.#lockTimeoutMs = lockTimeoutMs;
  }

  /** Opens or creates the file; close it as often as you opened it. */
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

  /** Where a lane stands in the file; undefined when none of its batches is in it. */
  position(lane: string): Promise<Position | undefined> {
    return this.#exclusively((_, meta) => Promise.resolve(meta.lanes[lane]));
  }

  /**
   * Adds the lines of a committed batch, unless they are in the file already. Requests that meet are
   * written together.
   */
  publish(lane: string, position: Position, bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ lane, position, bytes, resolve, reject });
      if (!this.#draining) void this.#drain();
    });
  }

  /** Makes what was published survive a crash of the machine. */
  async sync(): Promise<void> {
    await this.#exclusively(async (handles, meta) => {
      if (meta.durable.size === meta.size) return;
      await this.#makeDurable(handles, meta);
    });
  }

  /**
   * A lane's checkpoint is older than the file: takes away the lane's lines that it does not know.
   *
   * @param keep whether a line stays; called for every line after the header.
   * @param owner proof that the caller still owns the lane.
   */
  async rewind(
    lane: string,
    position: Position,
    keep: (line: string) => boolean,
    owner: Fence,
  ): Promise<void> {
    await this.#exclusively(async (handles, meta) => {
      owner.check();
      const text = await this.#read(handles.data, meta.size);
      const lines = text.split("\n");
      lines.pop();
      const head = this.#header.length === 0 ? 0 : 1;
      const kept = lines.filter((line, index) => index < head || keep(line));
      const bytes = new TextEncoder().encode(kept.map((line) => `${line}\n`).join(""));
      const lanes = { ...meta.lanes, [lane]: position };
      await this.#advance(handles.generation, { bytes, lanes });
    });
  }

  /** Whether some line after the header fulfils the condition. */
  async some(condition: (line: string) => boolean): Promise<boolean> {
    return await this.#exclusively(async (handles, meta) => {
      const text = await this.#read(handles.data, meta.size);
      return text.split("\n").slice(this.#header.length === 0 ? 0 : 1, -1).some(condition);
    });
  }

  async close(): Promise<void> {
    if (--this.#users > 0) return;
    SharedFile.#open.delete(this.#key);
    const turn = this.#turn;
    this.#turn = turn.then(() => this.#release());
    await this.#turn;
  }

  async #drain(): Promise<void> {
    this.#draining = true;
    while (this.#queue.length > 0) {
      const requests = this.#queue;
      this.#queue = [];
      try {
        await this.#exclusively((handles, meta) => this.#append(handles, meta, requests));
        for (const { resolve } of requests) resolve();
      } catch (error) {
        for (const { reject } of requests) reject(error);
      }
    }
    this.#draining = false;
  }

  async #append(handles: Handles, meta: Meta, requests: readonly Request[]): Promise<void> {
    const lanes = { ...meta.lanes };
    const parts: Uint8Array[] = [];
    for (const { lane, position, bytes } of requests) {
      const there = lanes[lane];
      if (there !== undefined && there.batch >= position.batch) continue;
      lanes[lane] = position;
      parts.push(bytes);
    }
    if (parts.length === 0) return;
    const bytes = join(parts);
    try {
      await writeAt(handles.data, meta.size, bytes);
    } catch (error) {
      // A full disk may have taken a part: nothing half visible.
      await handles.data.truncate(meta.size);
      throw error;
    }
    const next = { ...meta, size: meta.size + bytes.length, lanes, tail: crc32(bytes, meta.tail) };
    await handles.slots.write(next);
    if (next.size - next.durable.size >= MAXIMUM_TAIL) await this.#makeDurable(handles, next);
  }

  async #makeDurable(handles: Handles, meta: Meta): Promise<void> {
    await handles.data.syncData();
    const { size, lanes } = meta;
    await handles.slots.write({ ...meta, durable: { size, lanes }, tail: 0 });
    await handles.meta.syncData();
  }

  async #read(data: Deno.FsFile, size: number): Promise<string> {
    return new TextDecoder().decode(await readAt(data, 0, size));
  }

  /** Runs `work` while nobody else writes, again when this process was left behind meanwhile. */
  #exclusively<T>(work: (handles: Handles, meta: Meta) => Promise<T>): Promise<T> {
    const result = this.#turn.then(async () => {
      for (;;) {
        const handles = await this.#lock();
        try {
          const meta = await this.#repaired(handles);
          if (meta === undefined) continue;
          const value = await work(handles, meta);
          if (this.#newest() === handles.generation) return value;
        } finally {
          await handles.meta.unlock();
        }
        const newest = this.#newest();
        // `rewind` itself makes a new generation: its work is done.
        if (newest !== undefined && this.#made === newest) {
          this.#made = undefined;
          return undefined as T;
        }
      }
    });
    this.#turn = result.catch(() => {});
    return result;
  }

  #made: number | undefined;

  #newest(): number | undefined {
    return Fence.generations(this.#root)[0];
  }

  /** Opens the newest generation and takes its lock. */
  async #lock(): Promise<Handles> {
    let waitedMs = 0;
    let pauseMs = 1;
    let last: number | undefined;
    for (;;) {
      const newest = this.#newest();
      if (newest !== last) waitedMs = 0;
      last = newest;
      if (newest === undefined) {
        await this.#advance(undefined);
        continue;
      }
      if (waitedMs >= this.#lockTimeoutMs) {
        await this.#advance(newest);
        continue;
      }
      const handles = await this.#openGeneration(newest);
      if (handles !== undefined && await handles.meta.tryLock(true)) {
        if (this.#newest() === newest) return handles;
        await handles.meta.unlock();
        continue;
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      waitedMs += pauseMs;
      pauseMs = Math.min(pauseMs * 2, 25);
    }
  }

  /** Handles of a generation; undefined when it is not ready, or gone. */
  async #openGeneration(generation: number): Promise<Handles | undefined> {
    if (this.#handles?.generation === generation) return this.#handles;
    this.#release();
    const folder = `${this.#root}/g${generation}`;
    const opened: Deno.FsFile[] = [];
    try {
      const meta = await Deno.open(`${folder}/meta`, { read: true, write: true });
      opened.push(meta);
      const data = await Deno.open(`${folder}/data`, { read: true, write: true });
      opened.push(data);
      this.#verified = false;
      return this.#handles = { generation, meta, data, slots: new Slots(meta, META_CAPACITY) };
    } catch (error) {
      for (const file of opened) file.close();
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  }

  #release(): void {
    this.#handles?.meta.close();
    this.#handles?.data.close();
    this.#handles = undefined;
  }

  /** Named step, under the lock: the file is as long as it should be, and still at its place. */
  async #repaired(handles: Handles): Promise<Meta | undefined> {
    let meta = await handles.slots.read();
    if (meta === undefined) {
      throw new SinkError(
        "FAILED",
        `Cannot write ${this.path}: ${this.#root}/g${handles.generation}/meta is damaged. ` +
          "Move the file and that folder away to begin a new one",
      );
    }
    const data = await handles.data.stat();
    const there = await statOrUndefined(this.path);
    if (there === undefined || (data.ino !== null && there.ino !== data.ino)) {
      // Moved away or replaced by somebody (a log rotation): a new file, the same positions.
      await this.#advance(handles.generation, { bytes: this.#header, lanes: meta.lanes });
      return undefined;
    }
    const checked = await this.#withoutLosses(handles, meta, data.size);
    if (checked.size !== data.size) await handles.data.truncate(checked.size);
    if (checked !== meta) await handles.slots.write(checked);
    meta = checked;
    this.#verified = true;
    return meta;
  }

  /** What of the file really is there: after a crash of the machine, or when somebody cut it. */
  async #withoutLosses(handles: Handles, meta: Meta, size: number): Promise<Meta> {
    const { durable } = meta;
    if (!this.#verified && meta.size > durable.size) {
      const tail = await readAt(handles.data, durable.size, meta.size - durable.size);
      if (tail.length < meta.size - durable.size || crc32(tail) !== meta.tail) {
        if (size >= durable.size) return { ...durable, durable, tail: 0 };
      }
    }
    if (size >= meta.size) return meta;
    const { lanes } = meta;
    return { size, lanes, durable: { size, lanes }, tail: 0 };
  }

  /**
   * Makes a new generation, from what the file should hold or else from the newest one that is
   * complete.
   */
  async #advance(
    from: number | undefined,
    content?: { bytes: Uint8Array; lanes: Readonly<Record<string, Position>> },
  ): Promise<void> {
    const fence = await Fence.claim(this.#root);
    const own = fence.directory;
    const previous = await this.#complete(fence);
    let lanes: Readonly<Record<string, Position>> = {};
    if (content !== undefined) {
      await Deno.writeFile(`${own}/data`, content.bytes);
      lanes = content.lanes;
    } else if (previous !== undefined) {
      lanes = previous.meta.lanes;
      await Deno.copyFile(`${previous.folder}/data`, `${own}/data`);
      await Deno.truncate(`${own}/data`, previous.meta.size);
    } else if (await exists(this.path)) {
      await this.#adoptForeign(`${own}/data`);
    } else {
      await Deno.writeFile(`${own}/data`, this.#header);
    }
    const data = await Deno.open(`${own}/data`, { read: true, write: true });
    let size: number;
    try {
      await data.sync();
      size = (await data.stat()).size;
    } finally {
      data.close();
    }
    await Deno.link(`${own}/data`, `${own}/visible`);
    await fence.publish("visible", this.path);
    const meta = await Deno.open(`${own}/meta.new`, { read: true, write: true, create: true });
    try {
      const slots = new Slots<Meta>(meta, META_CAPACITY);
      await slots.write({ size, lanes, durable: { size, lanes }, tail: 0 });
      await meta.sync();
    } finally {
      meta.close();
    }
    await fence.publish("meta.new", `${own}/meta`);
    await syncDirectory(own);
    await syncDirectory(splitPath(this.path).folder);
    if (from !== undefined && content !== undefined) this.#made = fence.generation;
    await fence.adopt();
    await fence.forget();
  }

  /** The newest older generation that is complete. */
  async #complete(fence: Fence): Promise<{ folder: string; meta: Meta } | undefined> {
    for (const generation of Fence.generations(this.#root)) {
      if (generation >= fence.generation) continue;
      const folder = `${this.#root}/g${generation}`;
      try {
        using file = await Deno.open(`${folder}/meta`, { read: true });
        const meta = await new Slots<Meta>(file, META_CAPACITY).read();
        if (meta !== undefined) return { folder, meta };
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
        fence.check();
      }
    }
    return undefined;
  }

  /** A file that was there before: its lines stay. */
  async #adoptForeign(copy: string): Promise<void> {
    const { isFile } = await Deno.stat(this.path);
    if (!isFile) {
      throw new SinkError(
        "INVALID",
        `Cannot write ${this.path}: it is no regular file. Expected a path of a file that can be made or extended`,
      );
    }
    await Deno.copyFile(this.path, copy);
    using file = await Deno.open(copy, { read: true, write: true });
    const { size } = await file.stat();
    if (size === 0) return await writeAt(file, 0, this.#header);
    const [last] = await readAt(file, size - 1, 1);
    if (last !== 0x0a) await writeAt(file, size, new Uint8Array([0x0a]));
  }
}

async function statOrUndefined(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let position = 0;
  for (const part of parts) {
    whole.set(part, position);
    position += part.length;
  }
  return whole;
}
