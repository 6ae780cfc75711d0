import assert from "node:assert/strict";
import count from "../../../queries/count.ts";
import detect from "../../../queries/detect.ts";
import greyscale from "../../../queries/greyscale.ts";
import motion from "../../../queries/motion.ts";
import objects from "../../../queries/objects.ts";
import { model } from "../../../queries/operators/model/mod.ts";
import { display, events, foreachBatch, images, query, webhook } from "../../../runtime/mod.ts";
import { accessOf } from "../../../runtime/testing.ts";
import { orderModel } from "../../queries/operators/model/order_kit.ts";

Deno.test("the test kit says what a plan reads, writes and reaches", () => {
  const manifest = orderModel("nthwc");
  const definition = query("all").readStream().process(model(manifest)).writeStream(
    display(),
    events({ file: "out/events/a.jsonl" }),
    images({ directory: "out/images" }),
    webhook({ url: "https://u:p@alarm.example/path?token=x" }),
  );
  const { read, write, net, libraries, open } = accessOf(definition);
  assert.equal(read.length, 1);
  assert.ok(manifest.startsWith(read[0]!), read[0]);
  assert.deepEqual(write, [
    "out/events",
    "out/images",
    ".framelane/webhook",
    ".framelane/webhook",
  ]);
  assert.deepEqual([libraries, open], [["onnxruntime-node"], false]);
  assert.deepEqual(net, ["alarm.example:443"]);
  const shown = query("shown").readStream().writeStream(display());
  assert.deepEqual(accessOf(shown), { read: [], write: [], net: [], libraries: [], open: false });
  const own = query("own").readStream().writeStream(foreachBatch(() => {}));
  assert.equal(accessOf(own).open, true);
});

Deno.test("queries that run a model say that they load ONNX Runtime, others do not", () => {
  for (const definition of [count(), detect(), objects()]) {
    const { libraries, read } = accessOf(definition);
    assert.deepEqual([libraries, read.length], [["onnxruntime-node"], 1], definition.plan.name);
  }
  for (const definition of [greyscale, motion]) {
    assert.deepEqual(accessOf(definition).libraries, []);
  }
});
