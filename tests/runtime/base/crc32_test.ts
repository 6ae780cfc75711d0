import assert from "node:assert/strict";
import zlib from "node:zlib";
import { crc32 } from "../../../runtime/base/crc32.ts";

Deno.test("crc32 is that of zlib", () => {
  for (const text of ["", "123456789", "Überwachung 📷", "x".repeat(5000)]) {
    assert.equal(crc32(text), zlib.crc32(text), text.slice(0, 20));
  }
});
