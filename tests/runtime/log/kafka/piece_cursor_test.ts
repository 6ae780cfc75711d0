import assert from "node:assert/strict";
import fc from "fast-check";
import { PieceCursor } from "../../../../runtime/log/kafka/piece_cursor.ts";

/** Cuts bytes into pieces at some places; pieces may be empty. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b)];
  return at.map((start, i) => bytes.subarray(start, at[i + 1] ?? bytes.length));
}

Deno.test("types are read the same wherever the pieces are cut", () => {
  const bytes = new Uint8Array(64);
  const view = new DataView(bytes.buffer);
  view.setInt16(0, -2);
  view.setInt32(2, -70_000);
  view.setBigInt64(6, 2n ** 52n + 1n);
  bytes.set([0x96, 0x01], 14); // varint 150
  bytes.set([2, 5, 1, 9, 7, 2, 9, 9], 16); // tagged fields 5 (1 byte) and 7 (2 bytes)
  bytes.set(Array.from({ length: 16 }, (_, i) => i + 240), 24);
  bytes.set([1, 2, 3, 4, 5, 6, 7, 8, 9], 40);
  view.setInt32(60, 77);
  fc.assert(fc.property(fc.array(fc.nat(), { maxLength: 12 }), (places) => {
    const cursor = new PieceCursor(cut(bytes, places));
    assert.equal(cursor.int16(), -2);
    assert.equal(cursor.int32(), -70_000);
    assert.equal(cursor.int64(), 2 ** 52 + 1);
    assert.equal(cursor.varint(), 150);
    const tags: number[] = [];
    cursor.tags((tag) => tags.push(tag));
    assert.deepEqual(tags, [5, 7]);
    assert.equal(cursor.uuid(), "f0f1f2f3-f4f5-f6f7-f8f9-fafbfcfdfeff");
    assert.deepEqual([...cursor.take(9)], [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    cursor.skip(11);
    assert.equal(cursor.int32(), 77);
    assert.throws(() => cursor.int16(), RangeError);
  }));
});

Deno.test("what lies in one piece is a view, what is cut is a copy of its own", () => {
  const pieces = [new Uint8Array([1, 2, 3, 4]), new Uint8Array([5, 6])];
  const cursor = new PieceCursor(pieces);
  assert.equal(cursor.take(3).buffer, pieces[0]!.buffer);
  const crossing = cursor.take(2);
  assert.deepEqual([...crossing], [4, 5]);
  assert.equal(crossing.buffer.byteLength, 2);
});
