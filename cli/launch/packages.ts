// What a command of a clone needs before it starts: installed packages (`deno task` would print a line for
// each) and compiled code.
import { isThere, statOf } from "./paths.ts";

/** Deno writes it last, so an install that was interrupted counts as none. */
export const INSTALLED = "node_modules/.deno/.setup-cache.bin";

/** Whether packages are missing, or older than `deno.lock`. */
export function packagesAreMissing(root: string): boolean {
  const locked = timeOf(`${root}/deno.lock`);
  return locked !== undefined && (timeOf(`${root}/${INSTALLED}`) ?? 0) < locked;
}

/** Commands of packages: each `deno task` reads all of them, 80 MB, before it starts anything. */
export const COMMANDS = "node_modules/.bin";

/** Whether `tools/install.ts` has something to do. */
export function packagesNeedWork(root: string): boolean {
  return packagesAreMissing(root) || isThere(`${root}/${COMMANDS}`);
}

/** Marks the time of the last compilation; it is next to the compiled code in Deno's cache. */
export function compiledMark(root: string, cache: string): string {
  return `${cache}/gen/file${root}/.compiled`;
}

/**
 * Whether git has changed the code since it was last compiled. A command cannot keep what it compiles within
 * its fence, so each start would compile again.
 */
export function codeIsStale(root: string, cache: string): boolean {
  const compiled = timeOf(compiledMark(root, cache));
  return compiled === undefined || compiled < (timeOf(`${root}/.git/logs/HEAD`) ?? 0);
}

function timeOf(path: string): number | undefined {
  return statOf(path)?.mtime?.getTime();
}
