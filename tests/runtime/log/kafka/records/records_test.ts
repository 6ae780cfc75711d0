import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { Reader, readRecordsBatches } from "@platformatic/kafka";
import { BatchDecoder } from "../../../../../runtime/log/kafka/records/decoder.ts";
import { encodeBatch } from "../../../../../runtime/log/kafka/records/encoder.ts";
import { keyBytes, keyText } from "../../../../../runtime/log/kafka/records/key.ts";
import { cameraOf } from "../../../../../runtime/definition/frame.ts";
import { withAttributes } from "../../../../support/packed_batches.ts";
import type { Compression, LogRecord } from "../../../../../runtime/log/log.ts";
import { decodeBatches } from "./decode.ts";

const recordOf = fc.record({
  key: fc.option(fc.string({ unit: "grapheme" }), { nil: null }),
  value: fc.uint8Array({ maxLength: 300 }),
  timestamp: fc.integer({ min: 0, max: 2 ** 43 }),
  headers: fc.dictionary(
    fc.string({ unit: "grapheme", minLength: 1 }),
    fc.string({ unit: "grapheme" }),
  ),
});
const compressionOf = fc.constantFrom<Compression>("none", "gzip", "snappy", "lz4", "zstd");
const everything = { frames: Infinity, bytes: Infinity };
const place = { topic: "t", partition: 3, from: 0, aborted: [], limit: everything };

/** A batch as it stands in a log: the broker has filled in its first offset and its epoch. */
function stored(bytes: Buffer, offset: number, epoch = 0): Buffer {
  bytes.writeBigInt64BE(BigInt(offset), 0);
  bytes.writeInt32BE(epoch, 12);
  return bytes;
}

const record = (value: string): LogRecord => ({
  key: null,
  value: Buffer.from(value),
  timestamp: 5,
  headers: {},
});

Deno.test("a key that is no UTF-8 goes out as it came in, and names a camera in well-formed text", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 20 }),
    fc.constant(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61)), // a byte order mark
    fc.constant(Uint8Array.of(0xed, 0xb2, 0x80)), // a surrogate
  );
  fc.assert(fc.property(bytes, (bytes) => {
    const key = keyText(bytes);
    const { frames: [frame] } = decodeBatches(
      stored(encodeBatch([{ ...record("x"), key }]), 0),
      place,
    );
    assert.deepEqual([...keyBytes(frame!.key!)], [...bytes]);
    assert.ok(cameraOf(frame!).isWellFormed());
  }));
});

Deno.test("what is encoded is decoded, by us and by the Kafka client", () => {
  fc.assert(
    fc.property(
      fc.array(recordOf, { minLength: 1, maxLength: 12 }),
      compressionOf,
      fc.integer({ min: 0, max: 2 ** 40 }),
      (records, compression, offset) => {
        const bytes = stored(encodeBatch(records, { compression }), offset, 7);
        const { frames, next, epochs } = decodeBatches(bytes, { ...place, from: offset });
        assert.equal(next, offset + records.length);
        assert.deepEqual(epochs, [{ epoch: 7, from: offset, to: offset + records.length }]);
        frames.forEach((frame, i) => {
          const { key, value, timestamp, headers } = records[i]!;
          assert.equal(frame.offset, offset + i);
          assert.equal(frame.partition, 3);
          assert.equal(frame.key, key);
          assert.equal(frame.timestamp, timestamp);
          assert.deepEqual([...frame.value], [...value]);
          assert.deepEqual(Object.entries(frame.headers), Object.entries(headers));
        });
        const [theirs] = readRecordsBatches(Reader.from(bytes));
        assert.equal(theirs!.records.length, records.length);
        theirs!.records.forEach((one, i) => {
          assert.deepEqual([...one.value!], [...records[i]!.value]);
          assert.equal(one.key?.toString() ?? null, records[i]!.key);
          assert.equal(
            Number(theirs!.firstTimestamp + one.timestampDelta),
            records[i]!.timestamp,
          );
        });
      },
    ),
    { numRuns: 150 },
  );
});

Deno.test("a time that no date can name is the nearest date", () => {
  const times = [-(2n ** 63n), -1n, 0n, 8_640_000_000_000_001n, 2n ** 63n - 1n];
  const read = (attributes: number) =>
    times.map((time) => {
      const bytes = encodeBatch([record("x")]);
      for (const at of [27, 35]) bytes.writeBigInt64BE(time, at);
      return decodeBatches(withAttributes(bytes, attributes), place).frames[0]!.timestamp;
    });
  const logAppendTime = 1 << 3;
  for (const attributes of [0, logAppendTime]) {
    assert.deepEqual(read(attributes), [0, 0, 0, 8.64e15, 8.64e15]);
  }
});

Deno.test("decoding starts and ends where it is asked to", () => {
  const bytes = Buffer.concat([
    stored(encodeBatch(["a", "b", "c"].map(record)), 10),
    stored(encodeBatch(["d", "e"].map(record)), 13),
  ]);
  const read = (options: Partial<typeof place>) => {
    const { frames, next } = decodeBatches(bytes, { ...place, ...options });
    return [frames.map((f) => Buffer.from(f.value).toString()).join(""), next];
  };
  assert.deepEqual(read({ from: 10 }), ["abcde", 15]);
  assert.deepEqual(read({ from: 12 }), ["cde", 15]);
  assert.deepEqual(read({ from: 14 }), ["e", 15]);
  assert.deepEqual(read({ from: 10, limit: { frames: 2, bytes: 100 } }), ["ab", 12]);
  assert.deepEqual(read({ from: 11, limit: { frames: 9, bytes: 3 } }), ["bcd", 14]);
  assert.deepEqual(read({ from: 11, limit: { frames: 9, bytes: 0 } }), ["b", 12]);
  // An answer may end in the middle of a batch.
  const { frames, next } = decodeBatches(bytes.subarray(0, bytes.length - 1), {
    ...place,
    from: 10,
  });
  assert.equal(frames.length, 3);
  assert.equal(next, 13);
});

Deno.test("aborted transactions are left out, up to their marker", () => {
  const written = (offset: number, value: string, producerId: bigint) =>
    stored(
      encodeBatch([record(value)], {
        identity: { producerId, epoch: 0 },
        sequence: 0,
        transactional: true,
      }),
      offset,
    );
  const marker = (offset: number, producerId: bigint) => {
    const bytes = written(offset, "marker", producerId);
    return withAttributes(bytes, (1 << 4) | (1 << 5));
  };
  const bytes = Buffer.concat([
    written(0, "a", 1n),
    written(1, "b", 2n),
    stored(encodeBatch([record("c")]), 2),
    written(3, "d", 1n),
    marker(4, 1n),
    written(5, "e", 1n),
    marker(6, 2n),
    written(7, "f", 2n),
    marker(8, 1n),
    marker(9, 2n),
  ]);
  const { frames, next } = decodeBatches(bytes, {
    ...place,
    aborted: [{ producerId: 2n, firstOffset: 1 }, { producerId: 1n, firstOffset: 0 }],
  });
  assert.deepEqual(frames.map((f) => Buffer.from(f.value).toString()), ["c", "e", "f"]);
  assert.equal(next, 10);
});

Deno.test("a header may have any name", () => {
  const headers = Object.fromEntries([["__proto__", "x"], ["constructor", "y"]]);
  const bytes = encodeBatch([{ ...record("a"), headers }]);
  const { frames: [frame] } = decodeBatches(bytes, place);
  assert.deepEqual(Object.entries(frame!.headers), [["__proto__", "x"], ["constructor", "y"]]);
});

Deno.test("a bit that flipped costs its batch, a length that is none its offset, and nothing loops", () => {
  const good = (offset: number) => stored(encodeBatch([record("good")]), offset);
  const flipped = stored(encodeBatch([record("a"), record("b")]), 1);
  flipped[flipped.length - 3]! ^= 4;
  const { frames, next } = decodeBatches(Buffer.concat([good(0), flipped, good(3)]), place);
  assert.equal(next, 4);
  assert.deepEqual(
    frames.map(({ offset, fault }) => [offset, fault?.reason]),
    [[0, undefined], [1, "corrupt"], [2, "corrupt"], [3, undefined]],
  );
  assert.match(frames[1]!.fault!.message, /wrong checksum/);
  for (const length of [-12, -(2 ** 31), 0, 48]) {
    const short = good(1);
    short.writeInt32BE(length, 8);
    const read = decodeBatches(Buffer.concat([good(0), short, good(2)]), place);
    assert.deepEqual(read.frames.map(({ fault }) => fault?.reason), [undefined, "corrupt"]);
    assert.equal(read.next, 2);
  }
});

Deno.test("a damaged batch that says it has a billion records costs one offset", () => {
  const bytes = encodeBatch([record("a"), record("b")]);
  bytes[23] = 0x40;
  const limit = { frames: 9, bytes: Infinity };
  const { frames, next } = decodeBatches(bytes, { ...place, limit });
  assert.deepEqual([next, frames.length, frames[0]!.fault?.reason], [1, 1, "corrupt"]);
});

Deno.test("what is not wanted yet is decoded later, without another fetch", () => {
  const batch = stored(encodeBatch(Array.from({ length: 100 }, (_, i) => record(`${i}`))), 0);
  for (const compression of ["none", "gzip"] as const) {
    const bytes = compression === "none" ? batch : stored(
      encodeBatch(Array.from({ length: 100 }, (_, i) => record(`${i}`)), { compression }),
      0,
    );
    const decoder = new BatchDecoder(bytes, place);
    const values: string[] = [];
    for (let taken = 1; !decoder.done; taken++) {
      const { frames, next } = decoder.take({ frames: 7, bytes: taken % 3 === 0 ? 1 : Infinity });
      assert.ok(frames.length > 0);
      values.push(...frames.map(({ value }) => Buffer.from(value).toString()));
      assert.equal(next, values.length);
    }
    assert.deepEqual(values, Array.from({ length: 100 }, (_, i) => `${i}`));
  }
});
