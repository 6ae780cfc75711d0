import assert from "node:assert/strict";
import { buildPages, deadLinks } from "../../tools/docs.ts";
import { brokenLinks } from "../support/links.ts";
import { join } from "../../tools/paths.ts";
import { repositoryFiles } from "../../tools/words.ts";

Deno.test("Links that lead nowhere are found, with their page", async () => {
  const root = await Deno.makeTempDir();
  try {
    await Deno.mkdir(join(root, "docs"));
    await Deno.writeTextFile(
      join(root, "docs/a.md"),
      "# What holds, and why\n\n[up](../README.md#a)",
    );
    await Deno.writeTextFile(
      join(root, "README.md"),
      [
        "# A",
        "[a](docs/a.md) [why](docs/a.md#what-holds-and-why) [here](#a) [folder](docs/)",
        "[gone](docs/b.md) ![picture](docs/x.png) [no heading](docs/a.md#nowhere)",
        "[elsewhere](https://example.com/x) `[code](x.md)`",
        "```md\n[block](y.md)\n```",
      ].join("\n"),
    );
    assert.deepEqual(await brokenLinks(["README.md", "docs/a.md"], root), [
      "README.md links to docs/b.md, which is not there",
      "README.md links to docs/x.png, which is not there",
      "README.md links to docs/a.md#nowhere, which is not there",
    ]);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("The pages of this repository lead somewhere", async () => {
  const pages = (await repositoryFiles()).filter((file) => file.endsWith(".md"));
  assert.deepEqual(await brokenLinks(pages), []);
});

Deno.test("Every decision is on the list of decisions", async () => {
  const files = (await repositoryFiles()).filter((file) =>
    /^docs\/decisions\/(?!README)/.test(file)
  );
  const list = await Deno.readTextFile("docs/decisions/README.md");
  for (const file of files) assert.ok(list.includes(`(${file.split("/").at(-1)})`), file);
});

Deno.test("The site of all pages has no dead link, and a menu that names pages of it", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const pages = await buildPages(folder);
    assert.ok(pages.includes("index.html") && pages.includes("cli.html"));
    const reference = / links to (\.\.\/)*api\/index\.html, /;
    const dead = await deadLinks(folder, pages);
    assert.deepEqual(dead.filter((fault) => !reference.test(fault)), []);
    // The reference is made by deno doc, which takes longer; without it each page lacks that one link.
    assert.ok(dead.length >= 20);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
