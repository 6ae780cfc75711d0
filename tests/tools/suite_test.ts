import assert from "node:assert/strict";
import { chosen, isUnit, needsBroker, needsOf, spread } from "../../tools/suite.ts";

const files = [
  "/p/tests/cli/mask_test.ts",
  "/p/tests/runtime/log/kafka_test.ts",
  "/p/tests/runtime/log/contract_kafka_test.ts",
  "/p/tests/viewer/page_browser_test.ts",
];

Deno.test("The end of a file's name says what it needs", () => {
  assert.deepEqual(needsOf(files), ["java", "maven", "kcat", "chromium"]);
  assert.deepEqual(files.map(isUnit), [true, true, false, false]);
  assert.deepEqual(files.filter(needsBroker), [files[2]]);
});

Deno.test("A filter is a folder, a file or a part of a path", () => {
  assert.deepEqual(chosen(files, [], "/p"), files);
  assert.deepEqual(chosen(files, ["tests/runtime"], "/p"), files.slice(1, 3));
  assert.deepEqual(chosen(files, ["tests/cli/mask_test.ts"], "/p"), files.slice(0, 1));
  assert.deepEqual(chosen(files, ["kafka", "page_"], "/p"), files.slice(1));
  assert.deepEqual(chosen(files, ["nowhere"], "/p"), []);
});

Deno.test("Files are dealt out evenly, neighbours apart, each once", () => {
  assert.deepEqual(spread(["a", "b", "c", "d", "e"], 2), [["a", "d"], ["b", "e"], ["c"]]);
  assert.deepEqual(spread(["a", "b"], 2), [["a", "b"]]);
});
