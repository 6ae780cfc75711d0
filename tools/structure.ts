// Checks that files are short, and that the documentation names what exists.
import project from "../deno.json" with { type: "json" };
import { join, ROOT } from "./paths.ts";

/** A longer file has a second subject. */
const MAX_LINES = 350;

export interface Page {
  readonly file: string;
  readonly text: string;
}

export function longFiles(pages: readonly Page[]): string[] {
  return pages.map(({ file, text }) => ({ file, lines: text.split("\n").length - 1 }))
    .filter(({ lines }) => lines > MAX_LINES)
    .map(({ file, lines }) => `${file} has ${lines} lines: expected at most ${MAX_LINES}`);
}

/** Paths below these folders must exist if a page names them. */
const FOLDERS = /^(runtime|cameras|queries|viewer|cli|tools|tests|bench|docs|clips|deploy)\//;

/** Marks a span as a pattern, or as a file of the reader's own. */
const PLACEHOLDER = /\b[A-Z]{4,}\b|…|\*|\bmine\b/;

/** Finds code spans that name no path, no task and, with `names`, no word of a source. */
export function missingNames(
  { file, text }: Page,
  { files, sources, names }: {
    readonly files: readonly string[];
    readonly sources: string;
    readonly names: boolean;
  },
): string[] {
  const exists = (path: string) =>
    files.some((one) => one === path || one.startsWith(path.replace(/\/?$/, "/")));
  const isKnown = (span: string) => {
    if (PLACEHOLDER.test(span)) return true;
    const task = /^deno task ([\w:]+)/.exec(span)?.[1];
    if (task !== undefined) return Object.hasOwn(project.tasks, task);
    if (FOLDERS.test(span)) return exists(span);
    return !names || exists(span) || files.some((one) => one.endsWith(`/${span}`)) ||
      sources.includes(span);
  };
  const prose = text.replaceAll(/^```[\s\S]*?^```/gm, (block) => block.replaceAll(/[^\n]/g, ""));
  return [...prose.matchAll(/`([^`]+)`/g)]
    .filter(([, span]) => !isKnown(span!.replaceAll(/\s+/g, " ").trim()))
    .map(({ 1: span, index }) =>
      `${file}:${prose.slice(0, index).split("\n").length} names \`${span}\`, which does not exist`
    );
}

export async function readPages(files: readonly string[]): Promise<Page[]> {
  return await Promise.all(
    files.map(async (file) => ({ file, text: await Deno.readTextFile(join(ROOT, file)) })),
  );
}
