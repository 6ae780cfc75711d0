import assert from "node:assert/strict";
import { readJson } from "../../../runtime/base/json_file.ts";
import { ManifestError } from "../../../queries/operators/model/manifest.ts";

Deno.test("JSON may begin with a byte order mark, and has each field of an object once", async () => {
  const path = await Deno.makeTempFile();
  const read = async (text: string) => {
    await Deno.writeTextFile(path, text);
    return readJson(path, ManifestError);
  };
  const right = {
    "": 1,
    name: 'the "name": {',
    list: [{ name: "a" }, { name: "b\\" }],
    "\u00e4": {},
  };
  assert.deepEqual(await read(`\ufeff${JSON.stringify(right, null, 2)}`), right);
  for (const twice of ['{"a": 1, "a": 1}', '[{"b": {"a": 1, "\\u0061": 2}}]']) {
    await assert.rejects(read(twice), /expected JSON: an object has "a" more than once$/);
  }
  await assert.rejects(read('{"": 1, "": 2, "b": [], "b": {}}'), /has "", "b" more than once$/);
  await Deno.remove(path);
});

Deno.test("a fault that is found twice, as the shape of a state's input and output, is reported once", () => {
  const { faults, message } = new ManifestError("model.json", [
    "state[0].shape: a",
    "b",
    "state[0].shape: a",
  ]);
  assert.deepEqual(faults, ["state[0].shape: a", "b"]);
  assert.equal(message.split("state[0].shape").length, 2);
});
