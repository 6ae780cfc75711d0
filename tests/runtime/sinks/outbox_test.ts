import assert from "node:assert/strict";
import { Outbox } from "../../../runtime/sinks/files/outbox.ts";
import { sinkContext } from "../../contracts/sink_contract_kit.ts";
import { withFolder } from "../../support/folder.ts";

const at = (batch: number) => ({ batch, end: batch + 1 });

/** An outbox with 30 items of 100 kB that wait. */
async function filledBox(directory: string): Promise<{ root: string; box: Outbox }> {
  const root = `${directory}/box`;
  const box = await Outbox.open(root, sinkContext());
  const body = JSON.stringify("x".repeat(100_000));
  const items = Array.from(
    { length: 30 },
    (_, index) => ({ position: at(0), id: `${index}`, body }),
  );
  await box.release(await box.add(items));
  return { root, box };
}

Deno.test("outbox: what was delivered is not kept, what waits is", async () => {
  await withFolder(async (directory) => {
    const { root, box } = await filledBox(directory);
    for (let i = 0; i < 25; i++) await box.removeOldest();
    box.close();
    assert.ok((await Deno.stat(`${root}/g1/outbox`)).size < 1_700_000);
    const next = await Outbox.open(root, sinkContext({ committedBatch: 0, committedEnd: 1 }));
    assert.deepEqual(next.items.map(({ id }) => id), ["25", "26", "27", "28", "29"]);
    next.close();
  });
});

Deno.test("outbox: what has the same id in two batches is kept twice", async () => {
  await withFolder(async (directory) => {
    const root = `${directory}/box`;
    const box = await Outbox.open(root, sinkContext());
    for (const batch of [0, 1]) {
      await box.release(await box.add([{ position: at(batch), id: "a", body: `${batch}` }]));
    }
    box.close();
    const next = await Outbox.open(root, sinkContext({ committedBatch: 1, committedEnd: 2 }));
    assert.deepEqual(next.items.map(({ body }) => body), ["0", "1"]);
    next.close();
  });
});

Deno.test("outbox: much that waits is not written again with each delivery", async () => {
  await withFolder(async (directory) => {
    const { root, box } = await filledBox(directory);
    const files = new Set<number | null>();
    for (let i = 0; i < 12; i++) {
      await box.removeOldest();
      files.add((await Deno.stat(`${root}/g1/outbox`)).ino);
    }
    box.close();
    assert.ok(files.size <= 2, `${files.size} files`);
  });
});
