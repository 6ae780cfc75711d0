import assert from "node:assert/strict";
import { Epochs } from "../../../../runtime/log/kafka/epochs.ts";

Deno.test("the epoch before an offset is that of the last batch seen below it", () => {
  const epochs = new Epochs();
  assert.equal(epochs.before("t", 0, 5), -1);
  epochs.observe("t", 0, 10, 3);
  epochs.observe("t", 0, 20, 4);
  epochs.observe("t", 0, 15, 4);
  assert.equal(epochs.before("t", 0, 10), -1);
  assert.equal(epochs.before("t", 0, 11), 3);
  assert.equal(epochs.before("t", 0, 15), 3);
  assert.equal(epochs.before("t", 0, 16), 4);
  assert.equal(epochs.before("t", 1, 16), -1);
  epochs.observe("t", 0, -1, 9);
  epochs.observe("t", 0, 9, -1);
  assert.equal(epochs.before("t", 0, 100), 4);
  epochs.forget("t", 0);
  assert.equal(epochs.before("t", 0, 100), -1);
});
