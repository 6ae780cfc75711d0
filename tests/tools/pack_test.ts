/** What the npm package says of itself, and how its code finds its other files. */
import assert from "node:assert/strict";
import project from "../../deno.json" with { type: "json" };
import { compiledImports, packageJson } from "../../tools/pack.ts";

Deno.test("compiled code imports compiled code, and nothing else is renamed", () => {
  const code =
    `import a from "./a.ts"; new URL('../b/w.ts', import.meta.url); "page/main.ts"; "mine.ts"`;
  assert.equal(
    compiledImports(code),
    `import a from "./a.js"; new URL('../b/w.js', import.meta.url); "page/main.ts"; "mine.ts"`,
  );
});

Deno.test("the package depends on exact versions of what its code imports, and on no test package", () => {
  const json = packageJson(new Set(["hono", "onnxruntime-node"]));
  assert.deepEqual(json.dependencies, { hono: project.imports.hono.split("@")[1] });
  assert.deepEqual(Object.keys(json.peerDependencies as object), ["onnxruntime-node"]);
  assert.deepEqual(Object.keys(json.exports as object), Object.keys(project.exports));
  assert.equal(json.version, project.version);
});
