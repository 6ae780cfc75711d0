// The page's files, read once at start and served from memory, so that no request names a file on disk. The
// page is TypeScript whose types are stripped; there is no build step.
import { createHash } from "node:crypto";
import { stripTypeScriptTypes } from "node:module";
import { gzipSync } from "node:zlib";

export interface Asset {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly gzip: Uint8Array<ArrayBuffer>;
  readonly contentType: string;
  /** Strong ETag, quoted. */
  readonly etag: string;
}

const TYPES: Readonly<Record<string, string>> = {
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
  svg: "image/svg+xml",
  ts: "text/javascript; charset=utf-8",
};

/**
 * The page's files: those that anyone may load by path (`/assets/…`), and the pages by name; `refused` is the
 * sign-in form after a wrong token.
 */
export type Assets = ReadonlyMap<string, Asset>;

let loaded: Promise<Assets> | undefined;

/** Loads the page's files, once per process. */
export function loadAssets(): Promise<Assets> {
  return loaded ??= (async () => {
    const paths = ["protocol.ts"];
    for await (const { name } of Deno.readDir(new URL("page", import.meta.url))) {
      if (name.slice(name.lastIndexOf(".") + 1) in TYPES) paths.push(`page/${name}`);
    }
    const files = new Map<string, Asset>();
    for (const path of paths) {
      const name = path.endsWith(".html") ? path.slice("page/".length) : `/assets/${path}`;
      files.set(name, await loadAsset(path));
    }
    const problem = '<p class="problem" role="alert">This token is not valid.</p>';
    const refused = (form: string) => form.replace("<!-- problem -->", problem);
    return files.set("refused", await loadAsset("page/login.html", refused));
  })();
}

async function loadAsset(
  path: string,
  change: (text: string) => string = (text) => text,
): Promise<Asset> {
  const extension = path.slice(path.lastIndexOf(".") + 1);
  let text = change(await Deno.readTextFile(new URL(path, import.meta.url)));
  if (extension === "ts") text = stripTypeScriptTypes(text);
  if (extension === "ts" || extension === "css") text = compact(text);
  const body = new TextEncoder().encode(text);
  return {
    body,
    gzip: new Uint8Array(gzipSync(body)),
    contentType: TYPES[extension] ?? "application/octet-stream",
    etag: `"${createHash("sha256").update(body).digest("hex").slice(0, 24)}"`,
  };
}

/** Removes comment lines and the whitespace left by stripped types. */
function compact(text: string): string {
  return text.replace(/^[ \t]*\/\*[^]*?\*\/$/gm, "").replace(/^[ \t]*\/\/.*$/gm, "")
    .replace(/[ \t]+$/gm, "").replace(/\n{2,}/g, "\n");
}
