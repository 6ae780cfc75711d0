import assert from "node:assert/strict";
import { writeLine } from "../../cli/output.ts";

Deno.test("writeLine writes the whole line, however little fits at once", () => {
  const written: number[] = [];
  const stream = {
    writeSync(bytes: Uint8Array): number {
      const part = bytes.subarray(0, 3);
      written.push(...part);
      return part.length;
    },
  };
  assert.equal(writeLine(stream, "Größe: 640×480"), true);
  assert.equal(new TextDecoder().decode(new Uint8Array(written)), "Größe: 640×480\n");
});

Deno.test("writeLine tells that the reader has gone", () => {
  const stream = {
    writeSync(): number {
      throw new Deno.errors.BrokenPipe();
    },
  };
  assert.equal(writeLine(stream, "x"), false);
});

Deno.test("writeLine passes other failures on", () => {
  const stream = {
    writeSync(): number {
      throw new Error("No space left on device");
    },
  };
  assert.throws(() => writeLine(stream, "x"), /No space left/);
});
