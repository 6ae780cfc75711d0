// A machine that loses power, as far as it can be tried without one: what a process wrote is recorded, and its folder is
// made again as a disk may have it at any moment: all that was synced, and of the rest any part, in any order.
import { dirname } from "node:path";
import type { Random } from "../support/random.ts";
import { bytesOf, type SystemCall, textOf, trace } from "./system_calls.ts";

/** A disk writes whole sectors. */
const SECTOR = 512;

interface Write {
  readonly position: number;
  readonly bytes: Uint8Array;
  readonly begin: number;
  readonly end: number;
}

/** One file's life. */
interface File {
  readonly path: string;
  readonly created: number;
  removed: number;
  readonly writes:
    (Write | { readonly size: number; readonly begin: number; readonly end: number })[];
  /** When it was synced: from, until. */
  readonly syncs: { readonly begin: number; readonly end: number }[];
  readonly renames: { readonly at: number; readonly to: string }[];
}

/** What a process did in a folder. */
export interface Recording {
  readonly files: readonly File[];
  /** What it printed, and when it began to print it. */
  readonly said: readonly { readonly at: number; readonly line: Record<string, unknown> }[];
  readonly begin: number;
  readonly end: number;
}

/** Runs a program of ours and records what it does below a folder. */
export async function record(folder: string, args: readonly string[]): Promise<Recording> {
  return recordingOf(await trace(Deno.execPath(), args), folder);
}

function recordingOf(calls: readonly SystemCall[], folder: string): Recording {
  const files: File[] = [];
  const there = new Map<string, File>();
  const open = new Map<number, { file: File; position: number }>();
  const said: { at: number; line: Record<string, unknown> }[] = [];
  let output = "";
  for (const call of calls) {
    const { name, args, result, begin, end } = call;
    const descriptor = open.get(Number.parseInt(args));
    switch (name) {
      case "openat":
      case "open": {
        const path = textOf(args);
        if (!path.startsWith(folder)) break;
        let file = there.get(path);
        if (file === undefined) {
          if (!args.includes("O_CREAT")) break;
          file = { path, created: begin, removed: Infinity, writes: [], syncs: [], renames: [] };
          there.set(path, file);
          files.push(file);
        }
        open.set(result, { file, position: 0 });
        break;
      }
      case "fcntl":
        // Deno syncs through a second descriptor.
        if (descriptor !== undefined && args.includes("F_DUPFD")) open.set(result, descriptor);
        break;
      case "close":
        open.delete(Number.parseInt(args));
        break;
      case "lseek":
        if (descriptor !== undefined) descriptor.position = result;
        break;
      case "read":
        if (descriptor !== undefined) descriptor.position += result;
        break;
      case "write":
      case "pwrite64": {
        const bytes = () => bytesOf(/"(?:\\x[0-9a-f]{2})*"/.exec(args)![0]).subarray(0, result);
        if (descriptor === undefined) {
          if (Number.parseInt(args) !== 1) break;
          output += new TextDecoder().decode(bytes());
          const lines = output.split("\n");
          output = lines.pop()!;
          for (const line of lines) said.push({ at: begin, line: JSON.parse(line) });
          break;
        }
        const at = name === "write"
          ? descriptor.position
          : Number(args.slice(args.lastIndexOf(",") + 1));
        descriptor.file.writes.push({ position: at, bytes: bytes(), begin, end });
        if (name === "write") descriptor.position += result;
        break;
      }
      case "writev":
      case "pwritev":
        if (descriptor !== undefined) throw new Error(`Cannot record ${name}`);
        break;
      case "ftruncate":
        descriptor?.file.writes.push({ size: Number(args.split(", ")[1]), begin, end });
        break;
      case "fdatasync":
      case "fsync":
        descriptor?.file.syncs.push({ begin, end });
        break;
      case "rename":
      case "renameat":
      case "renameat2": {
        const [from, to] = [...args.matchAll(/"(?:\\x[0-9a-f]{2})*"/g)].map(([text]) =>
          textOf(text)
        );
        const file = there.get(from!);
        if (file === undefined) break;
        there.delete(from!);
        there.set(to!, file);
        file.renames.push({ at: begin, to: to! });
        break;
      }
      case "unlink":
      case "unlinkat": {
        const file = there.get(textOf(args));
        if (file === undefined) break;
        there.delete(textOf(args));
        file.removed = begin;
      }
    }
  }
  return { files, said, begin: calls[0]!.begin, end: calls.at(-1)!.end };
}

/** Makes the files as a disk may have them that lost its power at this moment. */
export async function crash(
  { files }: Recording,
  at: number,
  from: string,
  to: string,
  random: Random,
): Promise<void> {
  for (const file of files) {
    if (file.created > at || file.removed <= at) continue;
    const synced = Math.max(
      -1,
      ...file.syncs.filter(({ end }) => end <= at).map(({ begin }) => begin),
    );
    // The name of a file that was never synced may be lost with it.
    if (synced < 0 && random.whole(0, 1) === 0) continue;
    let bytes = new Uint8Array(0);
    const grow = (size: number) => {
      if (size <= bytes.length) return;
      const larger = new Uint8Array(size);
      larger.set(bytes);
      bytes = larger;
    };
    for (const write of file.writes.filter(({ begin }) => begin <= at)) {
      const durable = write.end <= synced;
      if ("size" in write) {
        if (!durable && random.whole(0, 1) === 0) continue;
        grow(write.size);
        bytes = bytes.slice(0, write.size);
        continue;
      }
      // Nothing, all, or some of the sectors.
      const kept = durable ? 1 : random.whole(0, 2);
      if (kept === 0) continue;
      for (let start = 0; start < write.bytes.length;) {
        const position = write.position + start;
        const length = Math.min(write.bytes.length - start, SECTOR - position % SECTOR);
        if (kept === 1 || random.whole(0, 1) === 1) {
          grow(position + length);
          bytes.set(write.bytes.subarray(start, start + length), position);
        }
        start += length;
      }
    }
    const path = file.renames.findLast((rename) => rename.at <= at)?.to ?? file.path;
    const target = to + path.slice(from.length);
    await Deno.mkdir(dirname(target), { recursive: true });
    await Deno.writeFile(target, bytes);
  }
}
