// Secrets that are looked for: what they are, how they may be written, and where.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import type { FramelaneProcess } from "../support/framelane.ts";

/** A secret that no text holds by chance, other for each place. */
export const canary = (place: string) => `c4nary+${place}/xq`;
/** Where a URL holds it. */
export const encoded = (place: string) => encodeURIComponent(canary(place));

/** Every way in which a canary may be written. */
export function forms(place: string): string[] {
  const plain = canary(place);
  return [
    plain,
    encoded(place),
    encodeURIComponent(encoded(place)),
    JSON.stringify(plain).slice(1, -1),
    // In Base64 at each of the three places where it can begin.
    ...[0, 1, 2].map((shift) =>
      Buffer.from("x".repeat(shift) + plain).toString("base64").slice(4, -4)
    ),
    Buffer.from(plain).toString("hex"),
    `c4nary%2B${place}`,
    `c4nary ${place}`,
  ];
}

const PLACES = [
  ...["rtsp", "mjpeg", "query", "kafka", "viewer", "metrics", "camera", "webhook", "path", "key"],
  ...["signing", "environment"],
];

/** Fails when a canary is in it. */
export function clean(what: string, content: string | Uint8Array): void {
  const bytes = Buffer.from(content as string);
  for (const place of PLACES) {
    for (const form of forms(place)) {
      assert.ok(bytes.indexOf(form) < 0, `${what} holds the secret of ${place} as ${form}`);
    }
  }
}

/** Looks at every file below a folder, and at its name; says how many there were. */
export async function cleanFiles(folder: string): Promise<number> {
  let files = 0;
  for await (const { name, isDirectory, isFile } of Deno.readDir(folder)) {
    clean("a file's name", name);
    if (isDirectory) files += await cleanFiles(join(folder, name));
    else if (isFile && !name.startsWith("registry")) {
      clean(join(folder, name), await Deno.readFile(join(folder, name)));
      files++;
    }
  }
  return files;
}

/** All that a command has said. */
export const said = (process: FramelaneProcess) =>
  [...process.said, ...process.lines.map((line) => JSON.stringify(line))].join("\n");

/** Looks at all that a viewer answers, with its token, with none and with a wrong one; gives its address. */
export async function cleanPages(query: FramelaneProcess, lane: string): Promise<string> {
  const viewer = /Viewer: (\S+)/.exec(said(query))![1]!;
  const authorization = `Bearer ${canary("viewer")}`;
  for (
    const path of [
      ...["", "healthz", "metrics", "api/queries", "api/lanes", `queries/${lane}`, "api/alerts"],
      ...[`api/range?lane=${lane}`, "cam/9", "nothing", "assets/page/wall_page.ts", "cameras/1"],
    ]
  ) {
    for (const headers of [{}, { authorization }, { authorization: "Bearer wrong" }]) {
      const response = await fetch(`${viewer}${path}`, { headers });
      clean(path, JSON.stringify([...response.headers]));
      clean(path, await response.text());
    }
  }
  return viewer;
}
