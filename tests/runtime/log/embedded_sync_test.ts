import assert from "node:assert/strict";
import { FileSync } from "../../../runtime/log/embedded/disk.ts";

Deno.test("sync: who comes while one is under way waits for it; one that failed is made again", async () => {
  const runs: PromiseWithResolvers<void>[] = [];
  const file = {
    syncData() {
      runs.push(Promise.withResolvers());
      return runs.at(-1)!.promise;
    },
  };
  const sync = new FileSync(file, import.meta.filename!);
  await sync.finished();
  assert.equal(runs.length, 0);
  sync.written();
  const both = [sync.finished(), sync.finished()];
  const turn = new Promise((over) => setTimeout(over, 0, "waits"));
  assert.equal(await Promise.race([both[1], turn]), "waits");
  runs[0]!.resolve();
  await Promise.all(both);
  assert.deepEqual([runs.length, sync.isDue], [1, false]);
  sync.written();
  const failing = sync.finished();
  runs[1]!.reject(new Error("Input/output error"));
  await assert.rejects(failing, /Input/);
  assert.ok(sync.isDue);
  const again = sync.finished();
  runs[2]!.resolve();
  await again;
  assert.equal(sync.isDue, false);
});
