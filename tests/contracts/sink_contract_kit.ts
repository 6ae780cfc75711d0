// What tests of sinks share: a context as the engine gives it, and what a user sees of a folder.
import { crc32 } from "node:zlib";
import { systemClock } from "../../runtime/base/clock.ts";
import type { SinkContext } from "../../runtime/definition/sink.ts";

/** Everything that a user sees below a folder: contents (of videos a digest) by path. */
export async function visible(directory: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  const walk = async (folder: string) => {
    for await (const entry of Deno.readDir(folder)) {
      if (entry.name.startsWith(".")) continue;
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory) await walk(path);
      else {
        const bytes = await Deno.readFile(path);
        found[path.slice(directory.length + 1)] = /\.(mp4|avi)$/.test(path)
          ? `${bytes.length} bytes, checksum ${crc32(bytes)}`
          : Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
      }
    }
  };
  await walk(directory);
  return Object.fromEntries(Object.entries(found).sort(([a], [b]) => a < b ? -1 : 1));
}

/** A context of a lane as the engine gives it. */
export function sinkContext(options: Partial<SinkContext> = {}): SinkContext {
  return {
    query: "test",
    topic: "VideoStreaming",
    partition: 0,
    committedEnd: 0,
    committedBatch: -1,
    clock: systemClock,
    signal: new AbortController().signal,

    report: () => {},
    ...options,
  };
}
