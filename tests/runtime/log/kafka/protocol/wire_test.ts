import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { RequestWriter, ResponseReader } from "../../../../../runtime/log/kafka/protocol/wire.ts";

/** Reads back what was written. */
function written(write: (to: RequestWriter) => void): ResponseReader {
  const to = new RequestWriter();
  write(to);
  return new ResponseReader(new Uint8Array(Buffer.concat(to.pieces())));
}

Deno.test("what is written is read back", () => {
  fc.assert(fc.property(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.maxSafeInteger(),
    fc.string({ unit: "binary" }),
    fc.option(fc.string()),
    fc.uint8Array({ maxLength: 40_000 }),
    fc.array(fc.integer()),
    (large, safe, text, maybe, bytes, numbers) => {
      const from = written((to) => {
        to.int64(large).int64(safe).string(text).bytes(bytes).string(maybe).count(numbers.length);
        for (const number of numbers) to.int32(number);
        to.boolean(true).int16(-2).int8(-3).string(maybe, false).bytes(bytes, false);
      });
      assert.equal(from.bigint64(), large);
      assert.equal(from.int64(), safe);
      assert.equal(from.string(), text);
      assert.deepEqual(from.bytes(), new Uint8Array(bytes));
      assert.equal(from.nullableString(), maybe);
      assert.deepEqual(from.list(() => from.int32()), numbers);
      assert.equal(from.boolean(), true);
      assert.equal(from.int16(), -2);
      assert.equal(from.int8(), -3);
      assert.equal(from.nullableString(false), maybe);
      assert.deepEqual(from.bytes(false), new Uint8Array(bytes));
      assert.equal(from.left, 0);
    },
  ));
});

Deno.test("tagged fields are passed by", () => {
  for (const [tag, found] of [[5, true], [7, true], [9, false]] as const) {
    const from = new ResponseReader(new Uint8Array([2, 5, 1, 9, 7, 2, 9, 9, 77]));
    assert.equal(from.tags(tag), found);
    assert.equal(from.int8(), 77);
  }
});

Deno.test("a response that ends too early is an error, whatever it promises", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 30 }), fc.nat(9), (bytes, kind) => {
    const from = new ResponseReader(new Uint8Array(bytes));
    const reads = [
      () => from.bytes(),
      () => from.string(),
      () => from.records(),
      () => from.list(() => from.int8()),
      () => from.list(() => from.int8(), false),
      () => from.string(false),
      () => from.uuid(),
      () => from.tags(),
      () => from.varint(),
      () => from.int64(),
    ];
    try {
      reads[kind]!();
    } catch (error) {
      assert.ok(error instanceof RangeError && /ends too early/.test(error.message), `${error}`);
    }
  }));
  assert.throws(
    () => new ResponseReader(new Uint8Array([255, 255, 255, 255, 15, 1])).list(() => 1),
    {
      message: "it ends too early",
    },
  );
});

Deno.test("records that are most of an answer are a view on it, others do not keep it alive", () => {
  const most = new Uint8Array([4, 1, 2, 3, 0]);
  const view = new ResponseReader(most).records();
  assert.deepEqual([...view], [1, 2, 3]);
  assert.equal(view.buffer, most.buffer);
  const shared = new ResponseReader(most, false).records();
  assert.deepEqual([...shared], [1, 2, 3]);
  assert.equal(shared.buffer.byteLength, 3);
  const few = new ResponseReader(new Uint8Array([4, 1, 2, 3, 0, 0, 0, 0])).records();
  assert.equal(few.buffer.byteLength, 3);
});
