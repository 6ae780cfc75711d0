import assert from "node:assert/strict";
import { join } from "node:path";
import { groupNames } from "../../../runtime/log/group_names.ts";

const KAFKA = "kafka://127.0.0.1:9092";

async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "framelane-test-" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const groupOf = async (folder: string) =>
  (await groupNames(["motion"], undefined, KAFKA, folder)).get("motion")!;

Deno.test("a checkpoint folder on Kafka names a group of its own, the same each time", async () => {
  await inFolder(async (folder) => {
    const [a, b] = [join(folder, "a"), join(folder, "b")];
    const group = await groupOf(a);
    assert.match(group, /^framelane-motion-[0-9a-f]{8}$/);
    assert.equal(await groupOf(a), group);
    assert.notEqual(await groupOf(b), group);
  });
});

Deno.test("runtimes that begin at the same time take the same identity", async () => {
  await inFolder(async (folder) => {
    const groups = await Promise.all(Array.from({ length: 20 }, () => groupOf(folder)));
    assert.equal(new Set(groups).size, 1);
    const left = [...Deno.readDirSync(folder)].map(({ name }) => name);
    assert.deepEqual(left, ["metadata"]);
  });
});

Deno.test("an identity that is damaged is named, and left as it is", async () => {
  for (const text of ["", "{", "{}", "null", '{"id":7}']) {
    await inFolder(async (folder) => {
      const path = join(folder, "metadata");
      await Deno.writeTextFile(path, text);
      await assert.rejects(groupOf(folder), /Cannot read the identity in .*metadata: expected/);
      assert.equal(await Deno.readTextFile(path), text);
    });
  }
});

Deno.test("groups that are given, and embedded logs, need no identity", async () => {
  const names = async (group: string | undefined, url: string, folder?: string) =>
    Object.fromEntries(await groupNames(["a", "b"], group, url, folder));
  assert.deepEqual(await names("wall-{query}", KAFKA, "/nowhere"), { a: "wall-a", b: "wall-b" });
  assert.deepEqual(await names(undefined, "embedded:x", "/nowhere"), {
    a: "framelane-a",
    b: "framelane-b",
  });
});
