// Whether the links of the repository's pages lead somewhere. Only links inside of it are followed.
import { anchorOf } from "../../tools/docs.ts";
import { dirname, join, ROOT } from "../../tools/paths.ts";

/** The targets of a page's links and pictures, without those to other places. */
function localLinks(markdown: string): string[] {
  const prose = markdown.replace(/^```[\s\S]*?^```/gm, "").replace(/`[^`\n]*`/g, "");
  return [...prose.matchAll(/\]\(([^)\s]+)(?:\s+"[^"]*")?\)/g)]
    .map(([, target]) => target!)
    .filter((target) => !/^[a-z][a-z0-9+.-]*:|^\/\//i.test(target));
}

function anchorsOf(markdown: string): Set<string> {
  const prose = markdown.replace(/^```[\s\S]*?^```/gm, "");
  return new Set(
    [...prose.matchAll(/^#{1,6} (.*)$/gm)].map(([, heading]) => anchorOf(heading!)),
  );
}

/** Links that lead nowhere, each with its page. */
export async function brokenLinks(pages: readonly string[], root = ROOT): Promise<string[]> {
  const broken: string[] = [];
  for (const page of pages) {
    const text = await Deno.readTextFile(join(root, page));
    for (const target of localLinks(text)) {
      const [path = "", anchor] = target.split("#");
      const file = path === "" ? page : join(dirname(page), decodeURIComponent(path));
      const found = await kindOf(join(root, file));
      const missing = found === undefined ||
        (anchor !== undefined && found === "file" && file.endsWith(".md") &&
          !anchorsOf(await Deno.readTextFile(join(root, file))).has(anchor));
      if (missing) broken.push(`${page} links to ${target}, which is not there`);
    }
  }
  return broken;
}

async function kindOf(path: string): Promise<"file" | "folder" | undefined> {
  try {
    return (await Deno.stat(path)).isDirectory ? "folder" : "file";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
