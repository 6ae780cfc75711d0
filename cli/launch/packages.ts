// The packages below `node_modules`: `deno task` leaves them to us, since it prints a line for each.
import { statOf } from "./paths.ts";

/** Deno writes it last, so an install that was interrupted counts as none. */
export const INSTALLED = "node_modules/.deno/.setup-cache.bin";

/** Whether packages have to be installed: none are, or `deno.lock` has changed since. */
export function packagesAreMissing(root: string): boolean {
  const timeOf = (name: string) => statOf(`${root}/${name}`)?.mtime?.getTime();
  const locked = timeOf("deno.lock");
  return locked !== undefined && (timeOf(INSTALLED) ?? 0) < locked;
}
