// Checks, before a run starts, that it cannot write where code is.
import type { Access } from "./access.ts";
import { isWithin, overlap } from "../../runtime/base/folders.ts";
import { parentOf, realPath } from "./paths.ts";

/** Names in Framelane's folder that are code, dependencies, or what code is made from. */
export const CODE: readonly string[] = [
  ...["main.ts", "main.js", "launch.ts", "launch.js", "deno.json", "deno.lock", "package.json"],
  ...["cli", "cameras", "runtime", "queries", "viewer", "models", "clips"],
  ...["tools", "tests", "bench", "docs", ".git", ".ci", "node_modules"],
  ...["deploy", "Dockerfile", "compose.yaml"],
];

/** Where code comes from that a run executes. */
export interface CodePlaces {
  /** Framelane's own folder, with links followed. */
  readonly root: string;
  /** Names in it that this command is there to write. */
  readonly authors: readonly string[];
  /** Deno's cache, whose files `node_modules` shares by hard links, and Deno itself; with links followed. */
  readonly others: readonly string[];
}

/**
 * Writable places that hold code, or lie in it. Each message names the option that made it writable.
 * A symbolic link counts as its target.
 */
export function writableCode(access: Access, { root, authors, others }: CodePlaces): string[] {
  if (access.write.length === 0) return [];
  const links = new Set(
    [...Deno.readDirSync(root)].filter(({ isSymlink }) => isSymlink).map(({ name }) => name),
  );
  const places = CODE.filter((name) => !authors.includes(name))
    .map((name) => links.has(name) ? realPath(`${root}/${name}`) : `${root}/${name}`)
    .concat(others);
  const own = [...access.code].map(realPath);
  const faults = new Set<string>();
  for (const { path, why, kind } of access.write) {
    const real = realPath(kind === "database" ? parentOf(path) : path);
    const code = places.find((place) => overlap(real, place)) ??
      own.find((file) => isWithin(file, real));
    if (code === undefined) continue;
    const where = real === code
      ? "this is code"
      : `${code} is ${isWithin(real, code) ? "above" : "in"} it`;
    faults.add(
      `Cannot write to ${
        JSON.stringify(real)
      } for ${why}: expected a folder without code, and ${where}`,
    );
  }
  return [...faults];
}
