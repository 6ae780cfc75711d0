import assert from "node:assert/strict";
import fc from "fast-check";
import { given } from "../../../../../runtime/base/options.ts";
import {
  checkpointGroup,
  checkpointOf,
  decodeMetadata,
  encodeMetadata,
  type Stored,
} from "../../../../../runtime/log/kafka/checkpoint/metadata.ts";
import { LogError } from "../../../../../runtime/log/log.ts";

const count = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const plain = { noNullPrototype: true };
const storedOf: fc.Arbitrary<Stored> = fc.record({
  queryId: fc.uuid(),
  query: fc.string({ minLength: 1, maxLength: 80 }),
  offset: count,
  batchId: fc.integer({ min: -1, max: 2 ** 40 }),
  planned: fc.record({ batchId: count, start: count, end: count }, plain),
  state: fc.uint8Array({ maxLength: 2_000 }),
  stateAt: fc.record({ partition: fc.nat(3), offset: count }, plain),
}, { requiredKeys: ["queryId", "query", "offset", "batchId"] })
  .map((one) => ({ ...one, restart: Math.floor(one.offset / 3) }));

Deno.test("a checkpoint survives its metadata", () => {
  fc.assert(fc.property(storedOf, (stored) => {
    const text = encodeMetadata(stored)!;
    assert.ok(new TextEncoder().encode(text).length <= 4_000);
    assert.deepEqual(given(decodeMetadata(stored.offset, text, "q")!), stored);
  }));
});

Deno.test("a state that does not fit is said to", () => {
  const stored = { queryId: "x", query: "q", offset: 1, batchId: 0, restart: 1 };
  assert.equal(encodeMetadata({ ...stored, state: new Uint8Array(3_000) }), undefined);
  assert.notEqual(encodeMetadata({ ...stored, state: new Uint8Array(2_048) }), undefined);
});

Deno.test("metadata is ours, somebody else's, or refused: nothing else", () => {
  for (const foreign of [null, "", "kafkajs", "{}", '{"a":1}']) {
    assert.equal(decodeMetadata(3, foreign, "q"), undefined);
  }
  const good = encodeMetadata({ queryId: "x", query: "q", offset: 9, batchId: 4, restart: 2 })!;
  fc.assert(
    fc.property(
      fc.nat(good.length - 1),
      fc.string({ maxLength: 3 }),
      fc.boolean(),
      (at, text, cut) => {
        const damaged = good.slice(0, at) + text + (cut ? "" : good.slice(at + 1));
        try {
          const read = decodeMetadata(9, damaged, "q");
          if (read === undefined) return;
          assert.ok(read.restart <= 9 && read.batchId >= -1);
        } catch (error) {
          assert.ok(error instanceof LogError);
          assert.match(error.code, /^CHECKPOINT_(CORRUPT|NEWER)$/);
        }
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("every bit of the metadata and of the offset counts: damage is refused, never read as something else", () => {
  const stored: Stored = {
    queryId: "2f0c7a4e-0000-4000-8000-000000000000",
    query: "greyscale",
    offset: 1200,
    batchId: 41,
    restart: 1180,
    planned: { batchId: 42, start: 1200, end: 1264 },
    state: new Uint8Array([1, 2, 3, 250]),
  };
  const good = encodeMetadata(stored)!;
  const refused = (offset: number, text: string) =>
    assert.throws(() => {
      // Bits that JSON does not care for leave all as it was.
      const read = decodeMetadata(offset, text, "q");
      if (read !== undefined) assert.deepEqual(read, stored);
      throw read === undefined
        ? new Error(`Taken for somebody else's: ${text}`)
        : new LogError("CHECKPOINT_CORRUPT", "as it was");
    }, (error) => error instanceof LogError && /^CHECKPOINT_(CORRUPT|NEWER)$/.test(error.code));
  for (let length = 1; length < good.length; length++) refused(1200, good.slice(0, length));
  for (let at = 0; at < good.length; at++) {
    for (let bit = 0; bit < 7; bit++) {
      const flipped = String.fromCharCode(good.charCodeAt(at) ^ (1 << bit));
      refused(1200, good.slice(0, at) + flipped + good.slice(at + 1));
    }
  }
  for (let bit = 0; bit < 31; bit++) refused(1200 ^ (1 << bit), good);
});

Deno.test("what was only planned is no checkpoint", () => {
  const stored = { queryId: "x", query: "q", offset: 5, batchId: -1, restart: 5 };
  const planned = { batchId: 0, start: 5, end: 8 };
  assert.equal(checkpointOf({ ...stored, planned }), undefined);
  assert.equal(checkpointOf(undefined), undefined);
  assert.deepEqual(checkpointOf(stored), { batchId: -1, end: 5, restart: 5 });
  assert.deepEqual(checkpointOf({ ...stored, batchId: 2, planned }), {
    batchId: 2,
    end: 5,
    restart: 5,
  });
});

Deno.test("a query's group is the one that was named, where it is the query's own", () => {
  assert.equal(checkpointGroup("greyscale", "greyscale"), "greyscale");
  assert.equal(checkpointGroup("site-greyscale", "greyscale"), "site-greyscale");
  assert.equal(checkpointGroup("site/greyscale", "greyscale"), "site/greyscale");
  assert.equal(checkpointGroup("site", "greyscale"), "site/greyscale");
  assert.equal(checkpointGroup("sitegreyscale", "greyscale"), "sitegreyscale/greyscale");
});
