// Lists test files, their requirements, and those that match a filter.
import type { NeedName } from "./debian.ts";
import { join, relative, resolve } from "./paths.ts";

/** The suffix of a file name determines what it needs beyond Deno. */
const NEEDS_BY_SUFFIX: readonly (readonly [suffix: string, needs: readonly NeedName[]])[] = [
  ["_kafka_test.ts", ["java", "maven", "kcat"]],
  ["_browser_test.ts", ["chromium"]],
  ["_rtsp_test.ts", ["rtsp", "ffmpeg"]],
  ["_ffmpeg_test.ts", ["ffmpeg"]],
  ["_network_test.ts", ["network", "java", "maven"]],
  ["_fence_test.ts", ["fence"]],
  ["_strace_test.ts", ["strace"]],
  ["_faketime_test.ts", ["faketime"]],
];

/** True for tests that need nothing but Deno. */
export function isUnit(file: string): boolean {
  return needsOf([file]).length === 0;
}

export function needsBroker(file: string): boolean {
  return file.endsWith("_kafka_test.ts");
}

/** Everything that the files need. */
export function needsOf(files: readonly string[]): NeedName[] {
  const all = files.flatMap((file) =>
    NEEDS_BY_SUFFIX.filter(([suffix]) => file.endsWith(suffix)).flatMap(([, needs]) => needs)
  );
  return [...new Set(all)];
}

const TRIALS = "trials";

/** All test files below a folder except the long trials, sorted. */
export async function testFiles(folder: string): Promise<string[]> {
  const files: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory && entry.name !== TRIALS) files.push(...await testFiles(path));
    else if (/(^|[._])test\.tsx?$/.test(entry.name)) files.push(path);
  }
  return files.sort();
}

/** The files that match a filter: a folder, a file, or a part of the path. Without filters all. */
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

/** Distributes files over parts of at most `atMost`, similar neighbours to different parts. */
export function spread(files: readonly string[], atMost: number): string[][] {
  const count = Math.ceil(files.length / atMost);
  return Array.from({ length: count }, (_, part) => files.filter((_, i) => i % count === part));
}
