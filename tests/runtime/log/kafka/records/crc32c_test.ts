import assert from "node:assert/strict";
import { crc32c as theirs } from "@platformatic/wasm-utils";
import fc from "fast-check";
import { crc32c } from "../../../../../runtime/log/kafka/records/crc32c.ts";
import { randomBytes } from "node:crypto";

Deno.test("CRC-32C: the check value of the standard, and nothing of nothing", () => {
  assert.equal(crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
  assert.equal(crc32c(new Uint8Array()), 0);
});

Deno.test("CRC-32C: as another library computes it, whatever the length and the place in memory", () => {
  // Around what is done byte by byte, by 16, and by folding; longer than what fits in one call.
  const lengthOf = fc.oneof(
    fc.nat(200),
    fc.integer({ min: 6_600, max: 6_800 }),
    fc.nat(90_000),
    fc.integer({ min: 307_900, max: 308_000 }),
    fc.integer({ min: 600_000, max: 700_000 }),
  );
  const source = randomBytes(700_016);
  fc.assert(
    fc.property(lengthOf, fc.nat(15), (length, from) => {
      const bytes = source.subarray(from, from + length);
      assert.equal(crc32c(bytes), theirs(bytes));
    }),
    { numRuns: 300 },
  );
});

Deno.test("CRC-32C: one bit anywhere changes it", () => {
  const bytes = randomBytes(58_000);
  const whole = crc32c(bytes);
  fc.assert(fc.property(fc.nat(58_000 * 8 - 1), (bit) => {
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    assert.notEqual(crc32c(bytes), whole);
    bytes[bit >> 3]! ^= 1 << (bit & 7);
  }));
});
