/**
 * What executors may do, as the launcher worked it out.
 *
 * @module
 */
import type { ExecutorPermissions } from "../runtime/executor/narrow.ts";
import { EXECUTORS } from "./launch/arguments.ts";

/** A driver's option for it; nothing where the command was started without the launcher. */
export function executorPermissions(): { executorPermissions?: ExecutorPermissions } {
  const { state } = Deno.permissions.querySync({ name: "env", variable: EXECUTORS });
  const text = state === "granted" ? Deno.env.get(EXECUTORS) : undefined;
  return text === undefined ? {} : { executorPermissions: JSON.parse(text) as ExecutorPermissions };
}
