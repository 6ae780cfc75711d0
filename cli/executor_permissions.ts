// What executors may do, as the launcher worked it out.
import { resolve } from "node:path";
import type { ExecutorPermissions } from "../runtime/driver/permissions.ts";
import { EXECUTORS } from "./launch/arguments.ts";

/**
 * A driver's option for it; nothing where the command was started without the launcher.
 *
 * @param log of a command that names it itself: the launcher could not know its folder.
 */
export function executorPermissions(
  log?: string,
): { executorPermissions?: ExecutorPermissions } {
  const { state } = Deno.permissions.querySync({ name: "env", variable: EXECUTORS });
  const text = state === "granted" ? Deno.env.get(EXECUTORS) : undefined;
  if (text === undefined) return {};
  const given = JSON.parse(text) as ExecutorPermissions;
  const folder = /^embedded:([^?]+)/.exec(log ?? "")?.[1];
  if (folder === undefined) return { executorPermissions: given };
  const folders = [resolve(folder), Deno.realPathSync(folder)];
  const { read, write } = given.always;
  const always = {
    ...given.always,
    read: read === true ? true as const : [...read, ...folders],
    write: [...write, ...folders],
  };
  return { executorPermissions: { ...given, always } };
}
