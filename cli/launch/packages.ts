// The packages below `node_modules`: `deno task` leaves them to us, since it prints a line for each.
import { isThere, statOf } from "./paths.ts";

/** Deno writes it last, so an install that was interrupted counts as none. */
export const INSTALLED = "node_modules/.deno/.setup-cache.bin";

/** Whether packages have to be installed: none are, or `deno.lock` has changed since. */
export function packagesAreMissing(root: string): boolean {
  const timeOf = (name: string) => statOf(`${root}/${name}`)?.mtime?.getTime();
  const locked = timeOf("deno.lock");
  return locked !== undefined && (timeOf(INSTALLED) ?? 0) < locked;
}

/** Commands of packages: each `deno task` reads all of them, 80 MB, before it starts anything. */
export const COMMANDS = "node_modules/.bin";

/** Whether `tools/install.ts` has something to do. */
export function packagesNeedWork(root: string): boolean {
  return packagesAreMissing(root) || isThere(`${root}/${COMMANDS}`);
}
