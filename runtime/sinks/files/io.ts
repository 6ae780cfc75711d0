import { crc32 } from "node:zlib";
import { concatenated, writeAll } from "../../base/bytes.ts";
import { ifThere } from "../../base/folders.ts";

/** Reads up to `length` bytes at `position`; fewer at the end of the file. */
export async function readAt(
  file: Deno.FsFile,
  position: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  await file.seek(position, Deno.SeekMode.Start);
  let filled = 0;
  while (filled < length) {
    const count = await file.read(bytes.subarray(filled));
    if (count === null) break;
    filled += count;
  }
  return bytes.subarray(0, filled);
}

export async function writeAt(
  file: Deno.FsFile,
  position: number,
  bytes: Uint8Array,
): Promise<void> {
  await file.seek(position, Deno.SeekMode.Start);
  await writeAll(file, bytes);
}

const CHUNK = 1 << 18;

/**
 * The lines, with their line breaks, of the first `size` bytes of a file, which end with one: those of a
 * part of it at a time.
 */
export async function* readLines(file: Deno.FsFile, size: number): AsyncGenerator<Uint8Array[]> {
  let rest = new Uint8Array();
  for (let position = 0; position < size; position += CHUNK) {
    const read = await readAt(file, position, Math.min(CHUNK, size - position));
    const bytes = concatenated([rest, read]);
    const lines: Uint8Array[] = [];
    let start = 0;
    for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, start)) {
      lines.push(bytes.subarray(start, start = end + 1));
    }
    rest = bytes.subarray(start);
    yield lines;
  }
}

/** Copies lines byte by byte: those of others may be in any encoding. */
export async function copyLines(
  source: Deno.FsFile,
  size: number,
  target: Deno.FsFile,
  keep: (line: Uint8Array, index: number) => boolean,
): Promise<void> {
  let index = 0;
  let position = 0;
  for await (const lines of readLines(source, size)) {
    const kept = concatenated(lines.filter((line) => keep(line, index++)));
    await writeAt(target, position, kept);
    position += kept.length;
  }
}

/** Writes a new file that survives a crash of the machine. */
export async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true, truncate: true });
  await writeAt(file, 0, bytes);
  await file.syncData();
}

/** Appends text to a file, durably. */
export async function appendDurably(path: string, text: string): Promise<void> {
  using file = await Deno.open(path, { append: true, create: true });
  await writeAll(file, new TextEncoder().encode(text));
  await file.syncData();
}

/**
 * Writes values as entries at a position: length, checksum, and JSON from `headerBytes` (at least 8).
 *
 * @returns where they end
 */
export async function writeEntries(
  file: Deno.FsFile,
  position: number,
  values: readonly unknown[],
  headerBytes: number,
): Promise<number> {
  for (const value of values) {
    const body = new TextEncoder().encode(JSON.stringify(value));
    const header = new DataView(new ArrayBuffer(headerBytes));
    header.setUint32(0, body.length);
    header.setUint32(4, crc32(body));
    await writeAt(file, position, concatenated([new Uint8Array(header.buffer), body]));
    position += headerBytes + body.length;
  }
  return position;
}

/** The entries of a file, up to the first torn one; none if it does not exist. */
export async function readEntries<T>(path: string, headerBytes: number): Promise<T[]> {
  const bytes = await ifThere(Deno.readFile(path)) ?? new Uint8Array();
  const view = new DataView(bytes.buffer);
  const entries: T[] = [];
  for (let at = 0; at + headerBytes <= bytes.length;) {
    const length = view.getUint32(at), crc = view.getUint32(at + 4);
    at += headerBytes;
    const body = bytes.subarray(at, at + length);
    if (length === 0 || body.length < length || crc32(body) !== crc) break;
    entries.push(JSON.parse(new TextDecoder().decode(body)) as T);
    at += length;
  }
  return entries;
}
