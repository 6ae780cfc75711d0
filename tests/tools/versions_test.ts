import assert from "node:assert/strict";
import project from "../../deno.json" with { type: "json" };
import { importFaults } from "../../tools/versions.ts";

Deno.test("This project's dependencies have exact versions, from npm alone", () => {
  assert.deepEqual(importFaults(project.imports), []);
});

Deno.test("A range, a tag, another registry: each is a fault", () => {
  for (
    const target of [
      "npm:hono",
      "npm:hono@^4",
      "npm:hono@4.13",
      "npm:hono@latest",
      "https://x/y.ts",
    ]
  ) {
    assert.equal(importFaults({ hono: target }).length, 1, target);
  }
  assert.deepEqual(importFaults({ hono: "npm:hono@4.13.19" }), []);
});
