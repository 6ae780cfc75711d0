/** All that parses bytes or text of others: it takes them or refuses them by name, and nothing else happens. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { CameraRegistry, readEntry } from "../../cameras/registry.ts";
import { SourceError } from "../../cameras/source.ts";
import { type Command, parseCommand, UsageError } from "../../cli/command.ts";
import { dispatch } from "../../cli/dispatch.ts";
import { commands } from "../../cli/registry.ts";
import { ManifestError, parseManifest } from "../../queries/operators/model/mod.ts";
import { SequenceTracker } from "../../runtime/engine/sequence.ts";
import { BadFrameError, type Frame, type Headers } from "../../runtime/definition/frame.ts";
import { inspectImage } from "../../runtime/image/inspect.ts";
import {
  decodeBatch,
  decodeCheckpoint,
  encodeEntry,
} from "../../runtime/log/embedded/checkpoint_entry.ts";
import { decodeMetadata, encodeMetadata } from "../../runtime/log/kafka/checkpoint/metadata.ts";
import { LogError } from "../../runtime/log/log.ts";
import { query } from "../../runtime/mod.ts";
import { deadLetterRecord } from "../../runtime/sinks/dead_letter.ts";
import { topic } from "../../runtime/sinks/topic.ts";
import { MemoryLog, runQuery } from "../../runtime/testing.ts";
import { fuzz } from "../support/fuzz.ts";
import { jpegOf } from "../support/frames.ts";

const text = fc.string({ unit: "binary", maxLength: 40 });
const number = fc.oneof(
  fc.constantFrom("-1", "0", "1e999", "NaN", "9007199254740993", "0x10", " 1 ", "٣", ""),
  fc.integer().map(String),
  text,
);
const headers: fc.Arbitrary<Headers> = fc.dictionary(
  fc.oneof(
    fc.constantFrom("content-type", "session", "width", "height", "label", "result", "drawn"),
    fc.constantFrom("__proto__", "constructor", "toString", "reason", "truncated"),
    text,
  ),
  fc.oneof(number, fc.json()),
).chain((some) => number.map((seq) => ({ ...some, seq })));
const key = fc.option(fc.oneof(fc.constantFrom("CAMERA-1", "", "CAMERA--1"), text), { nil: null });
const picture = jpegOf(1);

Deno.test("fuzz: headers and keys of frames cost at most their frame, and never an output", async () => {
  const frame = fc.record({ headers, key, bad: fc.boolean() });
  await fuzz(
    "frame headers",
    fc.asyncProperty(fc.array(frame, { minLength: 1, maxLength: 8 }), async (frames) => {
      const log = new MemoryLog();
      await log.createTopic("VideoStreaming", 1);
      const producer = await log.producer();
      await producer.append(
        "VideoStreaming",
        0,
        frames.map(({ headers, key, bad }, at) => ({
          headers,
          key,
          timestamp: at,
          value: bad ? new Uint8Array([1, 2, 3]) : picture,
        })),
      );
      const definition = query("fuzz").readStream({ startingOffsets: "earliest" })
        .writeStream(topic({ name: "OUT" }));
      const totals = await runQuery(definition, {
        log,
        overrides: { trigger: { kind: "available-now" } },
        inspect: (value) => void inspectImage(value),
      });
      const bad = frames.filter((frame) => frame.bad).length;
      assert.deepEqual([totals.frames, totals.deadLettered], [frames.length, bad]);
      assert.equal(totals.outputs, frames.length - bad);
      await log.close();
    }),
    { runs: 100 },
  );
});

Deno.test("fuzz: sequence numbers are counted, whatever stands there", async () => {
  await fuzz(
    "sequence numbers",
    fc.property(fc.array(fc.record({ headers, key })), (frames) => {
      const tracker = new SequenceTracker(() => {});
      for (const [offset, { headers, key }] of frames.entries()) {
        const base = { topic: "t", partition: 0, offset, timestamp: 0, value: picture };
        const frame: Frame = { ...base, headers, key };
        tracker.see(frame);
        const letter = deadLetterRecord(frame, new BadFrameError("corrupt", "Cannot read"));
        assert.equal(letter.headers["__streams.errors.offset"], String(offset));
        assert.equal(letter.headers["reason"], "corrupt");
      }
      for (const count of [tracker.gaps, tracker.duplicates, tracker.orderViolations]) {
        assert.ok(Number.isSafeInteger(count) && count >= 0, String(count));
      }
      assert.ok(JSON.stringify(tracker.seen).length < 4_000);
    }),
  );
});

const manifest = {
  name: "m",
  version: "1",
  file: "x.onnx",
  licence: "MIT",
  source: "here",
  input: {
    name: "frames",
    dtype: "float32",
    layout: "NTHWC",
    frames: 16,
    height: 224,
    width: 224,
    color: "RGB",
  },
  outputs: [{ name: "scores", kind: "window", activation: "none" }],
};

Deno.test("fuzz: manifests are taken, or refused with faults", async () => {
  const anything = fc.anything({ maxDepth: 3, withNullPrototype: true });
  const part = fc.dictionary(
    fc.constantFrom(
      "name",
      "input",
      "sampling",
      "hop",
      "keep",
      "outputs",
      "state",
      "alert",
      "file",
    ),
    anything,
  );
  const whole = fc.oneof(
    anything,
    part.map((change) => ({ ...manifest, ...change })),
    fc.tuple(fc.constantFrom(...Object.keys(manifest.input)), anything)
      .map(([name, value]) => ({ ...manifest, input: { ...manifest.input, [name]: value } })),
  );
  parseManifest(manifest, "model.json");
  await fuzz(
    "manifests",
    fc.property(whole, (json) => {
      try {
        parseManifest(json, "model.json");
      } catch (error) {
        assert.ok(error instanceof ManifestError, String(error));
        assert.ok(error.faults.length > 0);
      }
    }),
    { runs: 1_000 },
  );
});

Deno.test("fuzz: entries of the registry are used, or reported without their source", async () => {
  const field = fc.oneof(
    fc.constantFrom<unknown>(1, 7, "max", true, "rtsp://u:canary-registry@cam/1", null, undefined),
    fc.anything({ maxDepth: 1 }),
  );
  const entry = fc.oneof(
    fc.anything({ maxDepth: 2 }),
    fc.record({ number: field, source: field, fps: field, size: field, quality: field }, {
      requiredKeys: [],
    }),
  );
  await fuzz(
    "registry",
    fc.property(fc.integer({ min: 1, max: 9 }), entry, (number, value) => {
      try {
        const camera = readEntry(["cameras", number], value);
        assert.equal(camera.number, number);
        assert.equal(typeof camera.source, "string");
      } catch (error) {
        assert.ok(error instanceof SourceError, String(error));
        assert.match(error.message, /^Cannot use the registry's entry \["cameras","\d"\]: /);
        assert.doesNotMatch(error.message, /canary/);
      }
    }),
    { runs: 1_000 },
  );
  using kv = await Deno.openKv(":memory:");
  const said: string[] = [];
  const registry = new CameraRegistry(kv, (message) => said.push(message));
  await registry.add({ number: 1, source: "pattern:" });
  for (const [at, bad] of [null, "x", {}, { number: 9, source: "a" }].entries()) {
    await kv.set(["cameras", 2 + at], bad);
  }
  await registry.add({ number: 8, source: "pattern:" });
  for (let poll = 0; poll < 2; poll++) {
    assert.deepEqual((await registry.list()).map(({ camera }) => camera.number), [1, 8]);
  }
  assert.equal(said.length, 4, said.join("\n"));
});

Deno.test("fuzz: checkpoints are read as they were written, or refused by name", async () => {
  const content = fc.dictionary(
    fc.constantFrom("batchId", "start", "end", "restart", "state", "planned"),
    fc.oneof(fc.nat(), fc.anything({ maxDepth: 1 }), fc.base64String()),
  );
  const entry = fc.oneof(
    fc.anything({ maxDepth: 1 }),
    text.map((some) => `v1 00000000\n${some}`),
    // The checksum fits: written by somebody who knows the format.
    content.map((some) => {
      try {
        return encodeEntry(some);
      } catch (error) {
        // JSON has no such thing.
        assert.ok(error instanceof TypeError, String(error));
        return "";
      }
    }),
  );
  const refused = (read: () => unknown) => {
    try {
      read();
    } catch (error) {
      assert.ok(error instanceof LogError, String(error));
      assert.match(error.code, /^CHECKPOINT_(CORRUPT|NEWER)$/);
    }
  };
  await fuzz(
    "checkpoints of the embedded log",
    fc.property(entry, (some) => {
      refused(() => decodeCheckpoint(some, "commits/3"));
      refused(() => decodeBatch(some, "offsets/3"));
    }),
    { runs: 1_000 },
  );
  const good = encodeMetadata({ queryId: "q", query: "x", offset: 9, batchId: 1, restart: 3 })!;
  const metadata = fc.oneof(
    text,
    fc.json(),
    fc.tuple(fc.nat(good.length), text, fc.nat(4)).map(([at, some, cut]) =>
      good.slice(0, at) + some + good.slice(at + cut)
    ),
  );
  await fuzz(
    "checkpoints on Kafka",
    fc.property(fc.nat(20), metadata, (offset, some) => {
      refused(() => {
        const stored = decodeMetadata(offset, some, "q");
        if (stored !== undefined) assert.deepEqual([stored.offset, stored.batchId], [9, 1], some);
      });
    }),
    { runs: 1_000 },
  );
});

Deno.test("fuzz: the command line refuses what it does not know, with 2 and in words", async () => {
  const loaded: Command[] = await Promise.all(Object.values(commands).map(({ load }) => load()));
  const flags = loaded.flatMap(({ options }) => Object.keys(options));
  const word = fc.oneof(
    text,
    number,
    fc.constantFrom(...flags).map((flag) => `--${flag}`),
    fc.tuple(fc.constantFrom(...flags), text).map(([flag, value]) => `--${flag}=${value}`),
    fc.constantFrom(
      "--",
      "-",
      "--no-",
      "-x",
      "--=",
      "--__proto__",
      "--constructor",
      "run",
      "inspect",
    ),
  );
  const argv = fc.array(word, { maxLength: 8 });
  await fuzz(
    "command line",
    fc.asyncProperty(fc.constantFrom(...loaded), argv, text, async (command, words, value) => {
      const environment = (name: string) => name.length % 5 === 0 ? value : undefined;
      try {
        const { options } = await parseCommand(command, words, environment);
        for (const name of Object.keys(options)) assert.ok(Object.hasOwn(command.options, name));
      } catch (error) {
        assert.ok(error instanceof UsageError, String(error));
        assert.ok(error.faults.every((fault) => /^[A-Z"]/.test(fault)), error.message);
      }
      // As a whole, with one more, unknown word: it never runs.
      const said: string[] = [];
      const code = await dispatch([command.name, "--no-such-option", ...words], {
        commands,
        environment,
        version: "0",
        context: {
          signal: AbortSignal.abort(),
          print: (line) => void said.push(line),
          say: (line) => void said.push(line),
        },
      });
      assert.ok(code === 2 || (code === 0 && /^(--help|-h)$/m.test(words.join("\n"))), `${code}`);
      assert.ok(said.length > 0);
    }),
  );
});
