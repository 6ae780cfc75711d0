/**
 * An executor drops the permissions that its plans do not need, before any frame comes. What a run may do follows from
 * its options; what an executor may do from its plans, which only it can load.
 *
 * @module
 */
import { resolve } from "node:path";
import { overlap } from "../base/folders.ts";
import type { PlanAccess } from "../definition/plan_access.ts";

/** What executors begin with, as the launcher worked it out. */
export interface ExecutorPermissions {
  readonly permissions: Deno.PermissionOptionsObject;
  /** What of it is there for plans that need it; absent where queries may come later. */
  readonly ifNeeded?: IfNeeded;
}

/** Permissions that a plan may need, or not. */
export interface IfNeeded {
  /** Folders of sinks: the absolute path, and all forms in which it was permitted. */
  readonly write: readonly { readonly path: string; readonly forms: readonly string[] }[];
  /** `host:port` of sinks. */
  readonly net: readonly string[];
  /** Files of ONNX Runtime. */
  readonly onnx: readonly string[];
  /** Variables that are read while plans are loaded. */
  readonly env: readonly string[];
}

/** Revokes what none of the plans needs; for good. */
export function narrow({ write, net, onnx, env }: IfNeeded, plans: readonly PlanAccess[]): void {
  const revoke = (descriptor: Deno.PermissionDescriptor) => Deno.permissions.revokeSync(descriptor);
  for (const variable of env) revoke({ name: "env", variable });
  if (!plans.some(({ libraries }) => libraries.includes("onnxruntime-node"))) {
    for (const path of onnx) revoke({ name: "ffi", path });
  }
  // A sink that does not say what it opens may need any of it.
  if (plans.some(({ open }) => open)) return;
  const folders = plans.flatMap((plan) => plan.write).map((path) => resolve(path));
  const kept = write.filter(({ path }) => folders.some((folder) => overlap(folder, path)));
  for (const { path, forms } of write) {
    // Deno revokes the folders above as well. Reading stays: the code may lie above.
    if (kept.some((one) => overlap(one.path, path))) continue;
    for (const form of forms) revoke({ name: "write", path: form });
  }
  const hosts = new Set(plans.flatMap((plan) => plan.net));
  for (const host of net) if (!hosts.has(host)) revoke({ name: "net", host });
}
