// Whole reads and writes at a position, and folders made durable.

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
  let written = 0;
  while (written < bytes.length) written += await file.write(bytes.subarray(written));
}

/** Makes the names in a folder survive a crash of the machine. */
export async function syncDirectory(path: string): Promise<void> {
  // Windows opens no folders, and keeps names durable by itself.
  if (Deno.build.os === "windows") return;
  using folder = await Deno.open(path);
  await folder.sync();
}

export function splitPath(path: string): { folder: string; name: string } {
  const trimmed = path.replace(/\/+$/, "");
  const slash = trimmed.lastIndexOf("/");
  if (slash === -1) return { folder: ".", name: trimmed };
  return { folder: slash === 0 ? "/" : trimmed.slice(0, slash), name: trimmed.slice(slash + 1) };
}

/** What lies at `path`, or undefined when nothing does. */
export async function statOrUndefined(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

const CHUNK = 1 << 18;

/** The lines of the first `size` bytes of a file, without their line ends. */
export async function* readLines(file: Deno.FsFile, size: number): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for (let position = 0; position < size; position += CHUNK) {
    const bytes = await readAt(file, position, Math.min(CHUNK, size - position));
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
  if (rest !== "") yield rest;
}

export async function copyLines(
  source: Deno.FsFile,
  size: number,
  target: Deno.FsFile,
  stays: (line: string, index: number) => boolean,
): Promise<void> {
  let index = 0;
  let position = 0;
  let kept = "";
  const put = async () => {
    const bytes = new TextEncoder().encode(kept);
    await writeAt(target, position, bytes);
    position += bytes.length;
    kept = "";
  };
  for await (const line of readLines(source, size)) {
    if (stays(line, index++)) kept += `${line}\n`;
    if (kept.length >= CHUNK) await put();
  }
  await put();
}

/** Writes a new file whose bytes survive a crash of the machine. */
export async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true, truncate: true });
  await writeAt(file, 0, bytes);
  await file.syncData();
}

/** Adds text to the end of a file, durably. */
export async function appendDurably(path: string, text: string): Promise<void> {
  using file = await Deno.open(path, { append: true, create: true });
  const bytes = new TextEncoder().encode(text);
  let written = 0;
  while (written < bytes.length) written += await file.write(bytes.subarray(written));
  await file.syncData();
}
