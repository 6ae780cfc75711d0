// Which test files there are, what they need, and which a filter chooses.
import type { NeedName } from "./debian.ts";
import { join, relative, resolve } from "./paths.ts";

/** The end of a file's name says what it needs beyond Deno. */
const NEEDS_BY_ENDING: readonly (readonly [ending: string, needs: readonly NeedName[]])[] = [
  ["_kafka_test.ts", ["java", "maven", "kcat"]],
  ["_browser_test.ts", ["chromium"]],
  ["_rtsp_test.ts", ["rtsp", "ffmpeg"]],
  ["_ffmpeg_test.ts", ["ffmpeg"]],
  ["_network_test.ts", ["network", "java", "maven"]],
];

/** Tests that need nothing but Deno. */
export function isUnit(file: string): boolean {
  return needsOf([file]).length === 0;
}

/** Whether a file asks for the shared broker. */
export function needsBroker(file: string): boolean {
  return file.endsWith("_kafka_test.ts");
}

/** Everything that some files need. */
export function needsOf(files: readonly string[]): NeedName[] {
  const all = files.flatMap((file) =>
    NEEDS_BY_ENDING.filter(([ending]) => file.endsWith(ending)).flatMap(([, needs]) => needs)
  );
  return [...new Set(all)];
}

/** Trials that take long have tasks of their own. */
const TRIALS = "trials";

/** All test files below a folder but those of the long trials, sorted. */
export async function testFiles(folder: string): Promise<string[]> {
  const files: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory && entry.name !== TRIALS) files.push(...await testFiles(path));
    else if (/(^|[._])test\.tsx?$/.test(entry.name)) files.push(path);
  }
  return files.sort();
}

/**
 * Those files that a filter names: by a folder, by a file, or by a part of the path.
 * Without filters all.
 */
export function chosen(
  files: readonly string[],
  filters: readonly string[],
  root: string,
): string[] {
  if (filters.length === 0) return [...files];
  return files.filter((file) =>
    filters.some((filter) => {
      const path = resolve(root, filter);
      return file === path || file.startsWith(`${path}/`) || relative(root, file).includes(filter);
    })
  );
}

/**
 * Deals files out to as few parts of at most `atMost` as will do. Neighbours go to different parts: a
 * folder's tests take about as long as each other.
 */
export function spread(files: readonly string[], atMost: number): string[][] {
  const count = Math.ceil(files.length / atMost);
  return Array.from({ length: count }, (_, part) => files.filter((_, i) => i % count === part));
}
