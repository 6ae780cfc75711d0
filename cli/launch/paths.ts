// Paths, for the launcher: Node's module takes longer to load than all that the launcher does.

const WINDOWS = Deno.build.os === "windows";

/** The path with `/` between its parts; elsewhere than on Windows a backslash is a letter of a name. */
export function slashed(path: string): string {
  return WINDOWS ? path.replaceAll("\\", "/") : path;
}

/** The path from the root, without `.`, `..` and double slashes. */
export function absolute(path: string, base: string): string {
  const text = slashed(path);
  const whole = text.startsWith("/") || /^[a-z]:\//i.test(text) ? text : `${base}/${text}`;
  const drive = /^[a-z]:/i.exec(whole)?.[0] ?? "";
  const parts: string[] = [];
  for (const part of whole.slice(drive.length).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `${drive}/${parts.join("/")}`;
}

/** The path in a `file:` URL; undefined for other texts, and for one that the command refuses. */
export function pathInUrl(text: string): string | undefined {
  if (!/^file:\/\//i.test(text)) return undefined;
  try {
    return decodeURIComponent(new URL(text).pathname);
  } catch {
    return undefined;
  }
}

export function parentOf(path: string): string {
  const end = path.lastIndexOf("/");
  return end <= 0 ? "/" : path.slice(0, end);
}

/** The path with all symbolic links followed; components that do not exist yet are kept. */
export function realPath(path: string): string {
  let rest = "";
  for (let place = path;; place = parentOf(place)) {
    try {
      const real = slashed(Deno.realPathSync(place));
      return rest === "" ? real : real.replace(/\/$/, "") + rest;
    } catch (error) {
      // Deno describes /proc, /sys and /dev only to programs with all permissions.
      if (error instanceof Deno.errors.NotCapable) return path;
      // Missing, below a file, in a circle of links: the command reports it when it opens the path.
      if (place === "/") return path;
      rest = place.slice(place.lastIndexOf("/")) + rest;
    }
  }
}

/** Whether something is at a path that may be seen. It takes a tenth of what `statOf` takes. */
export function isThere(path: string): boolean {
  try {
    Deno.realPathSync(path);
    return true;
  } catch {
    return false;
  }
}

/** What is at a path; undefined when nothing is. */
export function statOf(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch {
    // Missing or hidden: the command reports it when it opens the path.
    return undefined;
  }
}
