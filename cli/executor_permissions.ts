// What executors may do, as the launcher worked it out.
import type { ExecutorPermissions } from "../runtime/executor/narrow.ts";
import { EXECUTORS } from "./launch/arguments.ts";

/**
 * A driver's option for it; nothing where the command was started without the launcher.
 *
 * @param options.changing queries come and go: executors keep what any of them may need.
 */
export function executorPermissions(
  { changing = false }: { readonly changing?: boolean } = {},
): { executorPermissions?: ExecutorPermissions } {
  const { state } = Deno.permissions.querySync({ name: "env", variable: EXECUTORS });
  const text = state === "granted" ? Deno.env.get(EXECUTORS) : undefined;
  if (text === undefined) return {};
  const { permissions, ifNeeded } = JSON.parse(text) as Required<ExecutorPermissions>;
  return { executorPermissions: changing ? { permissions } : { permissions, ifNeeded } };
}
