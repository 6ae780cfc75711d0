import assert from "node:assert/strict";
import { checkSource, makeSource } from "../../cameras/open.ts";
import { SourceError } from "../../cameras/source.ts";
import { take } from "./kit.ts";

Deno.test("device: one that is not there says so, and may be plugged in later", async () => {
  const source = await makeSource("device:97?captureSize=640x480&captureFps=30&format=mjpeg");
  assert.equal(source.kind, "live");
  await assert.rejects(
    take(source, 1),
    (error) => error instanceof SourceError && error.retryable && /device .*97/.test(error.message),
  );
});

Deno.test("device: options are checked", () => {
  assert.throws(() => checkSource("device:"), /expected device:NUMBER/);
  assert.throws(() => checkSource("device:0?captureSize=big"), /expected WIDTHxHEIGHT/);
  assert.throws(() => checkSource("device:0?format=x%20y"), /expected letters and digits/);
});
