// Permissions of executors, as determined by the launcher.
import { resolve } from "node:path";
import type { ExecutorPermissions } from "../runtime/driver/permissions.ts";
import { EXECUTORS } from "./launch/arguments.ts";

/**
 * The driver's option for them; empty if the command was started without the launcher.
 *
 * @param log log of a command that chooses it itself, whose folder the launcher cannot know
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
