// `deno task docs`: builds a site from the pages of the repository and the reference of every
// export, in `dist/docs`.
import { Marked } from "marked";
import { writeLine } from "../cli/output.ts";
import { ifThere } from "../runtime/base/folders.ts";
import project from "../deno.json" with { type: "json" };
import { dirname, join, relative, ROOT } from "./paths.ts";
import { run } from "./run.ts";
import { checkUsage } from "./usage.ts";
import { repositoryFiles } from "./words.ts";

/** The site's menu; other pages follow the last group. */
const MENU: readonly (readonly [group: string, pages: readonly string[]])[] = [
  ["Start", ["README.md", "docs/quick-start.md", "docs/limits.md", "docs/library.md"]],
  [
    "Guides",
    ["up", "cameras", "video", "viewer", "embedded-log", "bring-your-own-model"].map(page),
  ],
  ["", ["case-counting", "spark", "operations", "scaling", "security", "upgrading"].map(page)],
  ["Reference", ["docs/cli.md", "docs/checkpoint-format.md", "CHANGELOG.md"]],
  ["How it works", ["architecture", "reliability", "performance", "decisions/README"].map(page)],
];
const REFERENCE = "api/index.html";
const TEMPLATE = await Deno.readTextFile(join(ROOT, "tools/docs.html"));

function page(name: string): string {
  return `docs/${name}.md`;
}

/** The place of a repository page in the site. */
function placeOf(file: string): string {
  return file === "README.md"
    ? "index.html"
    : file.replace(/^docs\//, "").replace(/\.md$/, ".html");
}

/** Builds the pages, and copies the files that they show or link to. Returns all written files. */
export async function buildPages(folder: string): Promise<string[]> {
  const files = await repositoryFiles();
  const pages = files.filter((file) => /^(docs\/.*|[A-Z]+)\.md$/.test(file));
  const titles = new Map<string, string>();
  const written = new Set<string>();
  for (const file of pages) {
    const text = await Deno.readTextFile(join(ROOT, file));
    titles.set(file, /^# (.*)$/m.exec(text)?.[1]?.replaceAll("`", "") ?? file);
  }
  const write = async (place: string, content: string | Uint8Array) => {
    await Deno.mkdir(dirname(join(folder, place)), { recursive: true });
    await Deno.writeFile(
      join(folder, place),
      typeof content === "string" ? new TextEncoder().encode(content) : content,
    );
    written.add(place);
  };
  for (const file of pages) {
    const place = placeOf(file);
    const linked: string[] = [];
    const html = bodyOf(await Deno.readTextFile(join(ROOT, file)), (target) => {
      if (/^[a-z]+:|^#/i.test(target)) return target;
      const [path = "", anchor] = target.split("#");
      const to = join(dirname(file), decodeURIComponent(path)).replace(/\/$/, "");
      const found = files.includes(to) ? to : `${to}/README.md`;
      if (!files.includes(found)) return undefined;
      if (!pages.includes(found)) linked.push(found);
      const relativePath = relative(dirname(place), placeOf(found)) || ".";
      return anchor === undefined ? relativePath : `${relativePath}#${anchor}`;
    });
    for (const asset of linked) await write(placeOf(asset), await Deno.readFile(join(ROOT, asset)));
    await write(place, pageHtml(place, titles.get(file)!, html, titles));
  }
  return [...written].sort();
}

/** A page's content as HTML; links that `resolve` cannot resolve become plain text. */
function bodyOf(markdown: string, resolve: (target: string) => string | undefined): string {
  const marked = new Marked({
    gfm: true,
    renderer: {
      heading({ tokens, depth, text }) {
        const inner = this.parser.parseInline(tokens);
        return `<h${depth} id="${anchorOf(text)}">${inner}</h${depth}>\n`;
      },
      link({ href, tokens }) {
        const inner = this.parser.parseInline(tokens);
        const to = resolve(href);
        return to === undefined ? inner : `<a href="${escape(to)}">${inner}</a>`;
      },
      image({ href, text }) {
        return `<img src="${escape(resolve(href) ?? href)}" alt="${escape(text)}">`;
      },
    },
  });
  return marked.parse(markdown, { async: false });
}

/** The anchor of a heading, as code hosts generate it. */
export function anchorOf(heading: string): string {
  return heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").trim().replaceAll(" ", "-");
}

function pageHtml(
  place: string,
  title: string,
  body: string,
  titles: ReadonlyMap<string, string>,
): string {
  const to = (target: string) => relative(dirname(place), target) || ".";
  const item = (target: string, text: string) =>
    `<a href="${to(target)}"${target === place ? ' aria-current="page"' : ""}>${escape(text)}</a>`;
  const menu = MENU.map(([group, pages]) =>
    (group === "" ? "" : `<h2>${group}</h2>`) +
    pages.map((file) => item(placeOf(file), titles.get(file)!)).join("")
  ).join("");
  const parts: Readonly<Record<string, string>> = {
    title: escape(title),
    menu: `${menu}${item(REFERENCE, "All imports, from the code")}`,
    body,
  };
  return TEMPLATE.replace(/\{(title|menu|body)\}/g, (_, name: string) => parts[name]!);
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}

export async function deadLinks(folder: string, pages: readonly string[]): Promise<string[]> {
  const broken: string[] = [];
  for (const page of pages.filter((file) => file.endsWith(".html"))) {
    const html = await Deno.readTextFile(join(folder, page));
    for (const [, target] of html.matchAll(/(?:href|src)="([^"]+)"/g)) {
      if (/^[a-z]+:/i.test(target!)) continue;
      const [path = "", anchor] = target!.split("#");
      const file = join(folder, path === "" ? page : join(dirname(page), decodeURIComponent(path)));
      const content = await ifThere(Deno.readTextFile(file));
      const hasAnchor = anchor === undefined || !file.endsWith(".html") ||
        content?.includes(`id="${anchor}"`);
      if (content === undefined || !hasAnchor) {
        broken.push(`${page} links to ${target}, which does not exist`);
      }
    }
  }
  return broken;
}

if (import.meta.main) {
  checkUsage(
    "deno task docs",
    "Builds the site of all pages and the reference in dist/docs.",
    [],
  );
  const folder = join(ROOT, "dist/docs");
  await ifThere(Deno.remove(folder, { recursive: true }));
  const pages = await buildPages(folder);
  const made = await run(Deno.execPath(), [
    ...["doc", "--html", "--name=Framelane", `--output=${join(folder, "api")}`],
    ...Object.values(project.exports),
  ], { cwd: ROOT });
  if (made?.code !== 0) throw new Error(`Cannot build the reference: ${made?.output}`);
  const broken = await deadLinks(folder, pages);
  for (const fault of broken) writeLine(Deno.stderr, fault);
  writeLine(Deno.stdout, `${join(folder, "index.html")}: ${pages.length} files and the reference`);
  Deno.exit(broken.length === 0 ? 0 : 1);
}
