// Generations of a shared file, and how a new one replaces an old one.
import { crc32 } from "node:zlib";
import { concatenated } from "../../base/bytes.ts";
import { given } from "../../base/options.ts";
import { SinkError } from "./failure.ts";
import { Fence } from "./fence.ts";
import { exists, ifThere, splitPath, syncPath } from "../../base/folders.ts";
import { readAt, writeAt } from "./io.ts";
import type { Position } from "./lane.ts";
import { newestState, Slots } from "./slots.ts";

const META_CAPACITY = 1 << 20;
/** Bytes at the end of a new generation by which it is recognised. */
const PROBE = 4096;

interface Extent {
  readonly size: number;
  readonly lanes: Readonly<Record<string, Position>>;
}

export interface Meta extends Extent {
  /** The part that survives a crash of the machine. */
  readonly durable: Extent;
  /** Checksum of the bytes from `from` to `size`, which an editor's change moves or replaces. */
  readonly tail: number;
  /** Absent: `durable.size`, which it never exceeds. */
  readonly from?: number;
  /** True if the file existed before: it may contain lines of lanes not listed. */
  readonly foreign: boolean;
  /** True if nothing was written since a writer ended in good order; made durable before lines follow. */
  readonly clean?: boolean;
  /** Lines that are about to be written: what changes once they are. */
  readonly next?: Extent & Pick<Meta, "tail" | "from"> & { readonly crc: number };
}

/** The state with the lines that were about to be written, if they were: a process may have died before. */
export async function settled(data: Deno.FsFile, { next, ...meta }: Meta): Promise<Meta> {
  if (next === undefined) return meta;
  const written = await readAt(data, meta.size, next.size - meta.size);
  const isWhole = meta.size + written.length === next.size && crc32(written) === next.crc;
  return isWhole ? advanced(meta, next) : meta;
}

export function advanced(
  meta: Meta,
  { crc: _, lanes, ...extent }: NonNullable<Meta["next"]>,
): Meta {
  return { ...meta, ...extent, lanes: { ...meta.lanes, ...lanes } };
}

/** The content of a new generation, if different from the previous one. */
export interface Content {
  readonly lanes: Readonly<Record<string, Position>>;
  /** Absent: what is at the lasting path now, if anything. */
  write?(target: Deno.FsFile): Promise<void>;
}

export interface Generation {
  readonly number: number;
  /** Holds the lock. */
  readonly meta: Deno.FsFile;
  readonly data: Deno.FsFile;
  readonly slots: Slots<Meta>;
}

/** The lines of a lane's batch. */
export interface Lines {
  readonly lane: string;
  readonly position: Position;
  readonly bytes: Uint8Array;
}

/**
 * Gives the folder of a generation a new time, again and again while the work lasts: a large file takes long
 * to read and to copy, and others take over where nothing moves.
 */
export async function showingLife<T>(
  folder: string,
  everyMs: number,
  work: () => Promise<T>,
): Promise<T> {
  const timer = setInterval(() => {
    try {
      Deno.utimeSync(folder, new Date(), new Date());
    } catch {
      // Another one has taken over, which the work finds out.
    }
  }, everyMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

/** The last sign of life in the folder of a generation. */
export function signOfLife(folder: string): number | undefined {
  try {
    return Deno.statSync(folder).mtime?.getTime();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Opens a generation; undefined if it is incomplete or no longer exists. */
export async function openGeneration(
  root: string,
  number: number,
): Promise<Generation | undefined> {
  const folder = `${root}/g${number}`;
  const opened: Deno.FsFile[] = [];
  try {
    const meta = await Deno.open(`${folder}/meta`, { read: true, write: true });
    opened.push(meta);
    const data = await Deno.open(`${folder}/data`, { read: true, write: true });
    return { number, meta, data, slots: new Slots(meta, META_CAPACITY) };
  } catch (error) {
    for (const file of opened) file.close();
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/**
 * Creates the next generation, with the given content or else that of the newest complete one, and
 * gives its file the lasting name.
 *
 * @param change.after the generation from which `content` was made, or 0 for the first of all; does
 * nothing if there is a newer one
 * @param lifeMs how often it shows others that it lives
 * @returns false if another process created one meanwhile: look again.
 */
export async function advance(
  path: string,
  root: string,
  header: Uint8Array,
  change?: { after: number; content?: Content },
  lifeMs = 500,
): Promise<boolean> {
  const fence = await Fence.claim(root);
  if (change !== undefined && fence.generation !== change.after + 1) {
    await ifThere(Deno.remove(fence.directory, { recursive: true }));
    return false;
  }
  try {
    // Other processes that make a generation now are fenced first.
    const own = fence.directory;
    const previous = await fence.adopt();
    const meta = await showingLife(
      own,
      lifeMs,
      () => writeData(path, header, fence, previous, change?.content),
    );
    await Deno.link(`${own}/data`, `${own}/visible`);
    const [data, visible] = await Promise.all(
      ["data", "visible"].map((name) => Deno.stat(`${own}/${name}`)),
    );
    if (data!.ino !== visible!.ino) {
      // As sshfs does: the file would be taken for one that its user put there, again and again.
      throw new SinkError(
        "NOT_WRITABLE",
        `Cannot write ${path}: the file system shows a hard link as another file. Expected a path on another one`,
      );
    }
    await fence.publish("visible", path);
    await syncPath(splitPath(path).folder);
    await writeMeta(`${own}/meta.new`, meta);
    await fence.publish("meta.new", `${own}/meta`);
    await syncPath(own);
    await fence.confirm();
    return true;
  } catch (error) {
    if (!fence.held) return false;
    throw error;
  }
}

/** Adds the lines of batches that are not in the file yet. */
export async function append(
  generation: Generation,
  meta: Meta,
  requests: readonly Lines[],
): Promise<void> {
  const { data, slots } = generation;
  const lanes: Record<string, Position> = {};
  const parts: Uint8Array[] = [];
  for (const { lane, position, bytes } of requests) {
    const existing = lanes[lane] ?? meta.lanes[lane];
    if (existing !== undefined && existing.batch >= position.batch) continue;
    lanes[lane] = position;
    parts.push(bytes);
  }
  if (meta.clean) {
    meta = { ...meta, clean: false };
    await slots.write(meta);
    await generation.meta.syncData();
  }
  const bytes = concatenated(parts), size = meta.size + bytes.length;
  const begins = meta.size === meta.durable.size && bytes.length > 0;
  const next = {
    size,
    lanes,
    crc: crc32(bytes),
    tail: crc32(bytes, begins ? 0 : meta.tail),
    ...given({ from: begins ? meta.size : meta.from }),
  };
  await slots.write({ ...meta, next });
  try {
    await writeAt(data, meta.size, bytes);
  } catch (error) {
    // A full disk may have accepted a part: leave nothing half visible.
    await data.truncate(meta.size);
    await slots.write(meta);
    throw error;
  }
  await slots.write(advanced(meta, next));
}

async function writeData(
  path: string,
  header: Uint8Array,
  fence: Fence,
  previous: readonly string[],
  content: Content | undefined,
): Promise<Meta> {
  const target = `${fence.directory}/data`;
  const complete = await newestState<Meta>(previous, "meta", META_CAPACITY);
  let lanes = content?.lanes ?? complete?.state.lanes ?? {};
  let foreign = complete?.state.foreign ?? false;
  const copied = content === undefined ? complete : undefined;
  if (copied !== undefined) {
    await Deno.copyFile(`${copied.folder}/data`, target);
  } else if (content?.write === undefined && await exists(path)) {
    // A link would be replaced by a file of its name, and what it leads to would get nothing.
    if (!(await Deno.lstat(path)).isFile) {
      throw new SinkError(
        "INVALID",
        `Cannot write ${path}: it is a link, a folder or a device. Expected the path of a file to create or extend`,
      );
    }
    await Deno.copyFile(path, target);
    foreign ||= content === undefined;
  }
  using data = await Deno.open(target, { read: true, write: true, create: true });
  if (content?.write !== undefined) await content.write(data);
  else if (copied !== undefined) {
    const known = await settled(data, copied.state);
    lanes = known.lanes;
    // Where the last writer ended in good order, more lines are a user's.
    if (copied.state.clean !== true) await data.truncate(known.size);
  }
  if (content?.write === undefined) await endLine(data, header);
  await data.sync();
  const { size } = await data.stat();
  const from = Math.max(0, size - PROBE);
  const tail = crc32(await readAt(data, from, PROBE));
  return { size, lanes, durable: { size, lanes }, from, tail, foreign };
}

async function endLine(data: Deno.FsFile, header: Uint8Array): Promise<void> {
  const { size } = await data.stat();
  if (size === 0) return await writeAt(data, 0, header);
  const [last] = await readAt(data, size - 1, 1);
  if (last !== 0x0a) await writeAt(data, size, new Uint8Array([0x0a]));
}

async function writeMeta(path: string, meta: Meta): Promise<void> {
  using file = await Deno.open(path, { read: true, write: true, create: true });
  await new Slots<Meta>(file, META_CAPACITY).write(meta);
  await file.sync();
}
