// Permissions of executors: what every one needs, and what its plans open.
import { resolve } from "node:path";
import { isWithin } from "../base/folders.ts";
import type { Needs } from "../definition/plan_access.ts";

/** Permissions of executors, from the launcher. */
export interface ExecutorPermissions {
  readonly always: WorkerPermissions;
  /** Granted as the plans need it. */
  readonly ifNeeded: IfNeeded;
}

/** Deno permissions of a worker; `true` stands for everything this process may do. */
export interface WorkerPermissions {
  readonly read: true | string[];
  readonly write: string[];
  readonly net: true | string[];
  readonly env: string[];
  readonly ffi: string[];
  readonly run: false;
  readonly sys: false;
  readonly import: false;
}

export interface IfNeeded {
  /** Writable folders: the absolute path, and all forms in which it was permitted. */
  readonly write: readonly { readonly path: string; readonly forms: readonly string[] }[];
  /** `host:port` of sinks. */
  readonly net: readonly string[];
  /** Files of ONNX Runtime. */
  readonly onnx: readonly string[];
  /** Environment variables read by sinks that reach a host. */
  readonly env: readonly string[];
}

/**
 * The permissions for plans with these needs, within the launcher's. A sink that does not declare
 * what it opens gets what `--allow-…` names, as every executor does.
 */
export function permissionsFor(
  { always, ifNeeded }: ExecutorPermissions,
  { write, net, libraries }: Needs,
): WorkerPermissions {
  const folders = write.map((path) => resolve(path));
  const written = ifNeeded.write.flatMap(({ path, forms }) => {
    if (folders.some((folder) => isWithin(path, folder))) return forms;
    const below = folders.filter((folder) => isWithin(folder, path));
    return below.flatMap((folder) => forms.map((form) => form + folder.slice(path.length)));
  });
  const reached = ifNeeded.net.filter((host) => net.includes(host));
  return {
    ...always,
    read: always.read === true ? true : union(always.read, written),
    write: union(always.write, written),
    net: always.net === true ? true : union(always.net, reached),
    env: net.length > 0 ? union(always.env, ifNeeded.env) : always.env,
    ffi: libraries.includes("onnxruntime-node") ? union(always.ffi, ifNeeded.onnx) : always.ffi,
  };
}

function union(some: readonly string[], others: readonly string[]): string[] {
  return [...new Set([...some, ...others])].sort();
}
