import assert from "node:assert/strict";
import { isWithin, overlap } from "../../../runtime/base/folders.ts";

Deno.test("a path is within a folder that it is or lies below, not within one whose name begins alike", () => {
  for (const path of ["/a/b", "/a/b/c", "/a/b/c/d"]) assert.ok(isWithin(path, "/a/b"), path);
  for (const path of ["/a/bc", "/a", "/", "/b/a/b"]) assert.ok(!isWithin(path, "/a/b"), path);
  assert.ok(isWithin("/a", "/") && isWithin("/", "/"));
  assert.ok(overlap("/a", "/a/b") && overlap("/a/b", "/a") && !overlap("/a/b", "/a/c"));
});
