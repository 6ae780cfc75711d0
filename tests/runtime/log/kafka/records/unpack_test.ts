/** Record batches that unpack to a lot, or not at all: each of their offsets is a frame with a fault. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { COMPRESSORS } from "../../../../../runtime/log/kafka/records/codecs.ts";
import { encodeBatch } from "../../../../../runtime/log/kafka/records/encoder.ts";
import { FREE_BYTES, unpack } from "../../../../../runtime/log/kafka/records/unpack.ts";
import type { Compression, LogRecord } from "../../../../../runtime/log/log.ts";
import { bomb, packedBatch, withAttributes } from "../../../../support/packed_batches.ts";
import { decodeBatches } from "./decode.ts";

const CODECS: readonly Exclude<Compression, "none">[] = ["gzip", "snappy", "lz4", "zstd"];
const place = {
  topic: "t",
  partition: 0,
  from: 0,
  aborted: [],
  limit: { frames: 100, bytes: Infinity },
};
const records = Array.from({ length: 5 }, (_, i): LogRecord => ({
  key: "CAMERA-1",
  value: new Uint8Array(200).fill(i),
  timestamp: 50 + i,
  headers: {},
}));

/** Batches as they stand in a log, one after the other. */
function stored(batches: readonly { bytes: Buffer; count: number }[], from = 0): Buffer {
  let offset = from;
  return Buffer.concat(batches.map(({ bytes, count }) => {
    bytes.writeBigInt64BE(BigInt(offset), 0);
    offset += count;
    return bytes;
  }));
}

for (const codec of CODECS) {
  Deno.test(`${codec}: a batch that unpacks to too much costs its own records`, () => {
    const good = () => ({ bytes: encodeBatch(records, { compression: codec }), count: 5 });
    const large = codec === "snappy" || codec === "lz4" ? 48 : 512;
    const bad = { bytes: bomb(codec, large * 2 ** 20), count: 1 };
    const { frames, next } = decodeBatches(stored([good(), bad, good()]), place);
    assert.equal(next, 11);
    assert.deepEqual(frames.map(({ offset }) => offset), Array.from({ length: 11 }, (_, i) => i));
    for (const { offset, fault, value, key } of frames) {
      if (offset !== 5) {
        assert.equal(fault, undefined, fault?.message);
        assert.deepEqual([key, value.length], ["CAMERA-1", 200]);
        // Nothing holds on to what was unpacked.
        assert.equal(value.buffer.byteLength, 200);
        continue;
      }
      assert.equal(fault?.reason, "too-large");
      assert.match(fault.message, /^Cannot unpack a record batch of \d+ bytes: it unpacks to more/);
      assert.equal(value.length, 0);
    }
  });

  Deno.test(`${codec}: what is allowed is unpacked, one byte more is not`, () => {
    const { compress, number } = COMPRESSORS[codec];
    assert.equal(unpack(compress(Buffer.alloc(FREE_BYTES)), number).length, FREE_BYTES);
    assert.throws(() => unpack(compress(Buffer.alloc(FREE_BYTES + 1)), number), {
      name: "BadFrameError",
      reason: "too-large",
    });
    // What is large before it is unpacked may be larger after.
    const noise = Buffer.alloc(FREE_BYTES + 1);
    for (let at = 0; at < noise.length; at += 65_536) {
      crypto.getRandomValues(noise.subarray(at, at + 65_536));
    }
    assert.equal(unpack(compress(noise), number).length, noise.length);
  });

  Deno.test(`${codec}: damaged bytes are a fault of their batch, whatever they say`, () => {
    const { compress, number } = COMPRESSORS[codec];
    const packed = new Uint8Array(compress(encodeBatch(records).subarray(61)));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(packed.length - 1), fc.nat(255)), { maxLength: 6 }),
        fc.nat(packed.length),
        (changes, length) => {
          const bytes = packed.slice(0, length);
          for (const [at, byte] of changes) if (at < length) bytes[at] = byte;
          const batch = { bytes: packedBatch(records, codec, bytes), count: 5 };
          const after = { bytes: encodeBatch(records), count: 5 };
          const { frames, next } = decodeBatches(stored([batch, after]), place);
          assert.equal(next, 10);
          assert.equal(frames.filter(({ offset }) => offset >= 5).length, 5);
          for (const { fault } of frames) {
            if (fault !== undefined) assert.match(fault.reason, /^(corrupt|too-large)$/);
          }
        },
      ),
      { numRuns: 300 },
    );
    assert.throws(() => unpack(packed.slice(0, 9), number), { reason: "corrupt" });
  });
}

for (const codec of ["snappy", "lz4"] as const) {
  const { compress, number } = COMPRESSORS[codec];

  Deno.test(`${codec}: literals and repetitions of all lengths come out as they went in`, () => {
    const part = fc.oneof(
      fc.uint8Array({ maxLength: 400 }),
      fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 70 }), fc.integer({ min: 1, max: 300 }))
        .map(([bytes, times]) => Buffer.concat(Array(times).fill(bytes))),
    );
    fc.assert(fc.property(fc.array(part, { minLength: 1, maxLength: 12 }), (parts) => {
      const bytes = Buffer.concat([Buffer.from([1]), ...parts]);
      assert.ok(Buffer.from(unpack(compress(bytes), number)).equals(bytes));
    }));
  });

  Deno.test(`${codec}: thousands of damaged batches do not break the codec for others`, () => {
    const good = compress(Buffer.from("frame ".repeat(20)));
    const cut = good.subarray(0, good.length - 3);
    for (let i = 0; i < 12_000; i++) {
      assert.throws(() => unpack(cut, number), { reason: "corrupt" });
    }
    assert.equal(Buffer.from(unpack(good, number)).toString(), "frame ".repeat(20));
  });
}

Deno.test("gzip: what follows the last member is ignored, a member that is cut is not", () => {
  const { compress, number } = COMPRESSORS.gzip;
  const one = compress(Buffer.from("frame ".repeat(20)));
  const named = Buffer.concat([
    Buffer.from([0x1f, 0x8b, 8, 4 | 8, 0, 0, 0, 0, 0, 3, 2, 0, 1, 1]),
    Buffer.from("name\0"),
    one.subarray(10),
  ]);
  const tails = [[0], [1], [0x1f, 0x8b], [0, 0, 0, 0, 0, 0, 0, 0, 1], [..."rubbish"].map(Number)];
  for (const members of [[one], [one, named], [named, one, one]]) {
    const text = "frame ".repeat(20 * members.length);
    for (const tail of [[], ...tails]) {
      const packed = Buffer.concat([...members, Buffer.from(tail)]);
      assert.equal(Buffer.from(unpack(packed, number)).toString(), text, String(tail));
    }
    const cut = Buffer.concat([...members, one.subarray(0, one.length - 9)]);
    assert.throws(() => unpack(cut, number), { reason: "corrupt" });
  }
  const bombs = Buffer.concat([compress(Buffer.alloc(FREE_BYTES + 1)), Buffer.from("x")]);
  assert.throws(() => unpack(bombs, number), { reason: "too-large" });
});

Deno.test("zstd: all frames are unpacked, and measured together", () => {
  const { compress, number } = COMPRESSORS.zstd;
  const text = Buffer.from("frame ".repeat(20)), noise = Buffer.alloc(600_000);
  for (let at = 0; at < noise.length; at += 60_000) {
    crypto.getRandomValues(noise.subarray(at, at + 60_000));
  }
  const parts = [text, noise, Buffer.alloc(0), text, noise];
  const frames = Buffer.concat(parts.map(compress));
  for (const tail of ["", "x", "rubbish"]) {
    const unpacked = unpack(Buffer.concat([frames, Buffer.from(tail)]), number);
    assert.ok(Buffer.concat(parts).equals(unpacked), tail);
  }
  const half = compress(Buffer.alloc(FREE_BYTES / 2));
  assert.equal(unpack(Buffer.concat([half, half]), number).length, FREE_BYTES);
  const more = Buffer.concat([half, half, compress(Buffer.alloc(1))]);
  assert.throws(() => unpack(more, number), { reason: "too-large" });
  // The noise keeps them apart: small frames are unpacked by one call.
  const spread = Buffer.concat([half, compress(noise), half, compress(noise), half]);
  assert.throws(() => unpack(spread, number), { reason: "too-large" });
  const nothing = Buffer.concat(new Array(5_000).fill(compress(Buffer.alloc(0))));
  assert.throws(() => unpack(nothing, number), /more than 1000 zstd frames/);
});

Deno.test("lz4: blocks with checksums are unpacked", () => {
  const block = (letter: string) => [4, 0, 0, 0x80, ...Buffer.from(letter.repeat(4)), 1, 2, 3, 4];
  const frame = [4, 0x22, 0x4d, 0x18, 0x70, 0x40, 0, ...block("a"), ...block("b"), 0, 0, 0, 0];
  assert.equal(Buffer.from(unpack(Uint8Array.from(frame), 3)).toString(), "aaaabbbb");
});

Deno.test("Java's snappy in pieces is measured before it is unpacked", () => {
  const { compress, number } = COMPRESSORS.snappy;
  const head = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
  const piece = (bytes: number) => {
    const packed = compress(Buffer.alloc(bytes, 7));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(packed.length);
    return Buffer.concat([length, packed]);
  };
  const two = unpack(Buffer.concat([head, piece(1000), piece(24)]), number);
  assert.deepEqual([...new Set(two)], [7]);
  assert.equal(two.length, 1024);
  assert.throws(() => unpack(Buffer.concat([head, piece(9).subarray(0, -1)]), number), {
    reason: "corrupt",
  });
  const many = Buffer.concat([head, ...Array(20).fill(piece(2 ** 20))]);
  assert.throws(() => unpack(many, number), { reason: "too-large" });
});

Deno.test("an unknown compression and a batch that ends too soon are faults of their records", () => {
  const unknown = withAttributes(packedBatch(records, "none", new Uint8Array(30)), 7);
  const short = packedBatch(records, "none", encodeBatch(records).subarray(61, 61 + 500));
  const { frames, next } = decodeBatches(
    stored([{ bytes: unknown, count: 5 }, { bytes: short, count: 5 }], 20),
    { ...place, from: 22 },
  );
  assert.equal(next, 30);
  assert.deepEqual(
    frames.map(({ offset, fault }) => [offset, fault?.reason]),
    [
      ...[22, 23, 24].map((offset) => [offset, "unsupported-type"]),
      ...[25, 26].map((offset) => [offset, undefined]),
      ...[27, 28, 29].map((offset) => [offset, "corrupt"]),
    ],
  );
});

Deno.test("a record that says it lies beyond its batch is no silent jump", () => {
  const two = encodeBatch([records[0]!, records[0]!]).subarray(61);
  const second = packedBatch([records[0]!], "none", two.subarray(two.length / 2));
  const after = { bytes: encodeBatch(records), count: 5 };
  const { frames, next } = decodeBatches(stored([{ bytes: second, count: 1 }, after]), place);
  assert.equal(next, 6);
  assert.deepEqual(frames.map(({ offset }) => offset), [0, 1, 2, 3, 4, 5]);
  assert.equal(frames[0]!.fault?.reason, "corrupt");
  assert.match(frames[0]!.fault!.message, /holds offset 1 between 0 and 0/);
});

Deno.test("whatever its records say, a batch costs its own offsets alone, and gives bytes of its own", () => {
  const byte = fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 2, 0x7f, 0x80, 0xff));
  const long = fc.nat(400).map((length) => [...Array(length).fill(0x80), 1]);
  const bytes = fc.oneof(fc.array(byte, { maxLength: 60 }), long);
  const good = encodeBatch(records.slice(0, 1)).subarray(61);
  fc.assert(
    fc.property(bytes, fc.nat(good.length), (evil, keep) => {
      const packed = Buffer.concat([good.subarray(0, keep), Buffer.from(evil)]);
      const before = encodeBatch(records.slice(0, 1));
      const middle = packedBatch(records.slice(0, 2), "none", packed);
      const after = encodeBatch(records.slice(0, 1));
      const all = stored([
        { bytes: before, count: 1 },
        { bytes: middle, count: 2 },
        { bytes: after, count: 1 },
      ]);
      const { frames, next } = decodeBatches(all, place);
      assert.equal(next, 4);
      assert.deepEqual(frames.at(0)!.value, records[0]!.value);
      assert.deepEqual(frames.at(-1)!.value, records[0]!.value);
      const start = all.byteOffset + before.length;
      for (const { value, fault } of frames.slice(1, -1)) {
        if (fault !== undefined || value.length === 0) continue;
        assert.ok(value.byteOffset >= start + 61);
        assert.ok(value.byteOffset + value.length <= start + middle.length);
      }
    }),
    { numRuns: 200 },
  );
});

Deno.test("bombs in a row are unpacked a few at a time", () => {
  const bombs = stored(
    Array.from({ length: 6 }, () => ({ bytes: bomb("zstd", 64 * 2 ** 20), count: 1 })),
  );
  const { frames, next } = decodeBatches(bombs, place);
  assert.equal(frames.length, 2);
  assert.equal(next, 2);
});

Deno.test("headers count in what is read at once", () => {
  const heavy = records.map((record) => ({ ...record, headers: { note: "x".repeat(100_000) } }));
  for (const compression of ["none", "gzip"] as const) {
    const bytes = stored([{ bytes: encodeBatch(heavy, { compression }), count: 5 }]);
    const { frames, next } = decodeBatches(bytes, {
      ...place,
      limit: { frames: 100, bytes: 250_000 },
    });
    assert.deepEqual([frames.length, next], [2, 2]);
  }
});
