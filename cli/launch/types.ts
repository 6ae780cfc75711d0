// Checks the types of users' modules before a run starts, once for each version of a file: Deno runs them unchecked.
import { isThere, realPath, statOf } from "./paths.ts";

export interface TypeCheck {
  /** Folder of Framelane's code. */
  readonly root: string;
  /** The configuration that says where the types of Framelane's names are. */
  readonly config: string;
  /** Deno's cache, which remembers the checked files. */
  readonly cache: string;
}

/** Records successful checks, in a process that may write. */
const REMEMBER =
  "const [folder, ...names] = Deno.args; Deno.mkdirSync(folder, { recursive: true });" +
  " for (const name of names) Deno.writeTextFileSync(`${folder}/${name}`, '');";

/** Whether all files type-check; errors have been printed. */
export async function typesAreRight(
  files: readonly string[],
  { root, config, cache }: TypeCheck,
): Promise<boolean> {
  const folder = `${cache}/framelane-checked`;
  const unchecked = new Map<string, string>();
  for (const file of files.map(realPath)) {
    const stat = statOf(file);
    // The command reports missing files.
    if (stat === undefined) continue;
    const name = await nameOf([file, root, stat.mtime?.getTime(), stat.size, Deno.version.deno]);
    if (!isThere(`${folder}/${name}`)) unchecked.set(file, name);
  }
  if (unchecked.size === 0) return true;
  const deno = (...args: string[]) =>
    new Deno.Command("deno", { args, stdin: "null", stdout: "inherit", stderr: "inherit" })
      .output();
  const flags = [`--config=${config}`, "--no-lock"];
  const { success } = await deno("check", "--quiet", ...flags, ...unchecked.keys());
  // Without write access to the cache, the next start checks again.
  if (success) {
    await new Deno.Command("deno", {
      args: ["eval", "--no-config", REMEMBER, folder, ...unchecked.values()],
    }).output();
  } else {
    const why = "Cannot start a module whose types are wrong";
    // deno-lint-ignore no-console
    console.error(`${why}; FRAMELANE_CHECK=false starts it as it is`);
  }
  return success;
}

async function nameOf(parts: readonly unknown[]): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(parts));
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex().slice(0, 32);
}
