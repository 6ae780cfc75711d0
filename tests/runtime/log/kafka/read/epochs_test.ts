import assert from "node:assert/strict";
import { Epochs } from "../../../../../runtime/log/kafka/read/epochs.ts";

Deno.test("the epoch before an offset is known for what was seen, and for nothing else", () => {
  const epochs = new Epochs();
  const before = (offset: number) => epochs.before("t", 0, offset);
  assert.equal(before(5), -1);
  epochs.observe("t", 0, { epoch: 3, from: 10, to: 15 });
  epochs.observe("t", 0, { epoch: 4, from: 20, to: 30 });
  assert.deepEqual([10, 11, 15, 16, 20, 21, 30, 31].map(before), [-1, 3, 3, -1, -1, 4, 4, -1]);
  epochs.observe("t", 0, { epoch: 4, from: 15, to: 16 });
  assert.deepEqual([15, 16, 20].map(before), [3, 4, 4]);
  epochs.observe("t", 0, { epoch: -1, from: 40, to: 50 });
  epochs.observe("t", 0, { epoch: 9, from: 50, to: 50 });
  assert.equal(before(50), -1);
  assert.equal(epochs.before("t", 1, 11), -1);
  epochs.forget("t", 0);
  assert.equal(before(11), -1);
});

Deno.test("only the last epochs are remembered", () => {
  const epochs = new Epochs();
  for (let epoch = 0; epoch < 100; epoch++) {
    epochs.observe("t", 0, { epoch, from: epoch * 10, to: epoch * 10 + 10 });
  }
  assert.equal(epochs.before("t", 0, 5), -1);
  assert.equal(epochs.before("t", 0, 1000), 99);
});
