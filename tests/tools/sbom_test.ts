import assert from "node:assert/strict";
import project from "../../deno.json" with { type: "json" };
import type { Lock } from "../../tools/lock.ts";
import { join, ROOT } from "../../tools/paths.ts";
import { installedLicence, makeBill } from "../../tools/sbom.ts";

Deno.test("The bill names every package with version, hash and use", async () => {
  const bill = await makeBill({
    name: "@a/b",
    version: "1.0.0",
    imports: { hono: "npm:hono@4.0.0", kafkajs: "npm:kafkajs@2.0.0" },
    lock: {
      version: "5",
      specifiers: {},
      npm: {
        "hono@4.0.0": { integrity: "sha512-AQID", dependencies: ["@s/only", "two@1.0.0"] },
        "@s/only@3.0.0_two@1.0.0": { integrity: "sha512-AQID" },
        "two@1.0.0": { integrity: "sha512-AQID" },
        "two@2.0.0": { integrity: "sha512-AQID" },
        "kafkajs@2.0.0": { integrity: "sha512-AQID", dependencies: ["two@2.0.0"] },
      },
    },
    licence: (key) => Promise.resolve(key.startsWith("hono") ? "MIT" : undefined),
  });
  assert.deepEqual(bill.components.map(({ purl, scope }) => `${purl} ${scope}`), [
    "pkg:npm/hono@4.0.0 required",
    "pkg:npm/%40s/only@3.0.0 required",
    "pkg:npm/two@1.0.0 required",
    "pkg:npm/two@2.0.0 excluded",
    "pkg:npm/kafkajs@2.0.0 excluded",
  ]);
  assert.deepEqual(bill.components[0]!.hashes, [{ alg: "SHA-512", content: "010203" }]);
  assert.deepEqual(bill.components[0]!.licenses, [{ expression: "MIT" }]);
  assert.deepEqual(bill.dependencies[1], {
    ref: "pkg:npm/hono@4.0.0",
    dependsOn: ["pkg:npm/%40s/only@3.0.0", "pkg:npm/two@1.0.0"],
  });
});

Deno.test("The bill of this project holds the whole lock, and its licences are known", async () => {
  const lock = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.lock"))) as Lock;
  const { name, version, imports } = project;
  const bill = await makeBill({ name, version, imports, lock, licence: installedLicence });
  assert.equal(bill.components.length, Object.keys(lock.npm!).length);
  const refs = new Set(bill.components.map((component) => component["bom-ref"]));
  for (const { dependsOn } of bill.dependencies) {
    for (const ref of dependsOn) assert.ok(refs.has(ref), ref);
  }
  for (const target of Object.values(imports)) {
    const ref = `pkg:npm/${target.slice("npm:".length).replace(/^@/, "%40")}`;
    const direct = bill.components.find((component) => component["bom-ref"] === ref);
    assert.ok(direct?.licenses, ref);
  }
});
