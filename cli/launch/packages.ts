// The packages below `node_modules`: `deno task` leaves them to us, since it prints a line for each.
import { statOf } from "./paths.ts";

/** Deno writes it last, so an install that was interrupted counts as none. */
export const INSTALLED = "node_modules/.deno/.setup-cache.bin";

/** Whether packages have to be installed: none are, or `deno.lock` has changed since. */
export function packagesAreMissing(root: string): boolean {
  const locked = statOf(`${root}/deno.lock`)?.mtime;
  const installed = statOf(`${root}/${INSTALLED}`)?.mtime;
  return locked != null && (installed == null || installed < locked);
}
