import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { Result } from "../../../runtime/definition/frame.ts";
import { query } from "../../../runtime/definition/query.ts";
import { events } from "../../../runtime/sinks/events.ts";
import { runQuery } from "../../../runtime/testing.ts";
import { sinkContract } from "../../contracts/sink_contract.ts";
import { sinkContext } from "../../contracts/sink_contract_kit.ts";
import { append, logOf, upTo } from "../engine/kit.ts";
import { frame } from "./outputs.ts";

sinkContract({
  name: "events",
  make: (directory) => events({ file: `${directory}/events.jsonl` }),
  output: frame,
});

async function withFile(work: (file: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await work(`${directory}/events.jsonl`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function writeBatch(
  file: string,
  partition: number,
  batchId: number,
  offsets: readonly number[],
  close = true,
) {
  const task = await events({ file }).open(
    sinkContext({ partition, committedBatch: batchId - 1, committedEnd: offsets[0]! }),
  );
  const batch = { batchId, start: offsets[0]!, end: offsets.at(-1)! + 1 };
  await task.write!(offsets.map((offset) => frame(partition, offset)), batch);
  await task.flush!(batch);
  await task.committed!(batch);
  if (close) await task.close!();
  return task;
}

async function linesOf(file: string): Promise<Result[]> {
  const text = await Deno.readTextFile(file);
  assert.ok(text === "" || text.endsWith("\n"));
  return text.split("\n").slice(0, -1).map((line) => JSON.parse(line) as Result);
}

Deno.test("events: a line is a complete result", async () => {
  await withFile(async (file) => {
    await writeBatch(file, 2, 0, [7]);
    assert.deepEqual(await linesOf(file), [{
      query: "test",
      topic: "VideoStreaming",
      partition: 2,
      camera: "CAMERA-3",
      window: {
        firstOffset: 7,
        lastOffset: 7,
        firstTimestamp: 1_700_000_000_280,
        lastTimestamp: 1_700_000_000_280,
        frames: 1,
        gaps: 0,
      },
      scores: { motion: 0.7 },
    }]);
  });
});

Deno.test("events: {query} in the path stands for the query's name, as in folders", async () => {
  await withFile(async (file) => {
    const named = file.replace("events", "{query}/{query}");
    await writeBatch(named, 0, 0, [7]);
    assert.equal((await linesOf(named.replaceAll("{query}", "test"))).length, 1);
  });
});

Deno.test("events: nothing is visible before the commit", async () => {
  await withFile(async (file) => {
    const task = await events({ file }).open(sinkContext());
    const batch = { batchId: 0, start: 0, end: 1 };
    await task.write!([frame(0, 0)], batch);
    await task.flush!(batch);
    assert.deepEqual(await linesOf(file), []);
    await task.committed!(batch);
    assert.equal((await linesOf(file)).length, 1);
    await task.close!();
  });
});

Deno.test("events: partitions share the file, each in its order", async () => {
  await withFile(async (file) => {
    await Promise.all([0, 1, 2, 3].map(async (partition) => {
      for (let batch = 0; batch < 5; batch++) {
        await writeBatch(file, partition, batch, [batch * 2, batch * 2 + 1]);
      }
    }));
    const lines = await linesOf(file);
    for (const partition of [0, 1, 2, 3]) {
      assert.deepEqual(
        lines.filter((line) => line.partition === partition).map((line) =>
          line.window!.firstOffset
        ),
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
      );
    }
  });
});

Deno.test("events: what is kept beside the file stays small, however long a query runs", async () => {
  await withFile(async (file) => {
    const task = await events({ file }).open(sinkContext());
    const hidden = file.replace("events.jsonl", ".events.jsonl.framelane");
    const data = { text: "x".repeat(100_000) };
    for (let batchId = 0; batchId < 8; batchId++) {
      const batch = { batchId, start: batchId, end: batchId + 1 };
      await task.write!([{ ...frame(0, batchId), result: { data } }], batch);
      await task.flush!(batch);
      await task.committed!(batch);
      const { size } = await Deno.stat(`${hidden}/lanes/test-VideoStreaming-0/g1/stage`);
      assert.ok(size < 400_000, `${size} bytes`);
    }
    await task.close!();
    assert.equal((await linesOf(file)).length, 8);
  });
});

Deno.test("events: starts that end before a commit leave few folders behind", async () => {
  await withFile(async (file) => {
    for (let start = 0; start < 12; start++) {
      await (await events({ file }).open(sinkContext())).close!();
    }
    const lane = `${
      file.replace("events.jsonl", ".events.jsonl.framelane")
    }/lanes/test-VideoStreaming-0`;
    const owners = await Array.fromAsync(Deno.readDir(lane));
    assert.deepEqual(owners.map(({ name }) => name), ["g12"]);
    const former = await Array.fromAsync(Deno.readDir(`${lane}/g12`));
    assert.equal(former.filter(({ isDirectory }) => isDirectory).length, 8);
  });
});

Deno.test("events: a file moved away by log rotation is begun anew", async () => {
  await withFile(async (file) => {
    await writeBatch(file, 0, 0, [0, 1]);
    await Deno.rename(file, `${file}.1`);
    await writeBatch(file, 0, 1, [2]);
    assert.deepEqual((await linesOf(file)).map((line) => line.window!.firstOffset), [2]);
    assert.equal((await linesOf(`${file}.1`)).length, 2);
  });
});

Deno.test("events: a file that its user has edited, or put in its place, is continued", async () => {
  await withFile(async (file) => {
    await writeBatch(file, 0, 0, [0, 1]);
    const [first, second] = (await Deno.readTextFile(file)).split("\n");
    // As editors and `sed -i` do; without the last line break.
    await Deno.writeTextFile(`${file}.new`, `${second}\n${first}`);
    await Deno.rename(`${file}.new`, file);
    await writeBatch(file, 0, 1, [2]);
    await writeBatch(file, 1, 0, [0]);
    assert.deepEqual(
      (await linesOf(file)).map(({ partition, window }) => [partition, window!.firstOffset]),
      [[0, 1], [0, 0], [0, 2], [1, 0]],
    );
  });
});

Deno.test("events: a file that its user has edited in place is continued", async () => {
  const edits: readonly ((text: string) => string)[] = [
    (text) =>
      `a first line, longer than the lines of this file together: ${"-".repeat(9_000)}\n${text}`,
    (text) => text.split("\n").slice(1).join("\n"),
    () => "one short line, not ended",
    (text) => `${text}a line at the end\n`,
    (text) => `${text}x`,
  ];
  for (const edit of edits) {
    for (const running of [false, true]) {
      await withFile(async (file) => {
        const task = await writeBatch(file, 0, 0, [0, 1], !running);
        await writeBatch(file, 1, 0, [0, 1]);
        const edited = edit(await Deno.readTextFile(file));
        await Deno.writeTextFile(file, edited);
        const batch = { batchId: 1, start: 2, end: 3 };
        if (running) {
          await task.write!([frame(0, 2)], batch);
          await task.flush!(batch);
          await task.committed!(batch);
          await task.close!();
        } else {
          await writeBatch(file, 0, 1, [2]);
        }
        await writeBatch(file, 1, 1, [2]);
        const text = await Deno.readTextFile(file);
        assert.ok(text.startsWith(edited.trimEnd() + "\n"), text);
        const added = text.slice(edited.trimEnd().length + 1).split("\n").slice(0, -1)
          .map((line) => JSON.parse(line) as Result);
        assert.deepEqual(
          added.map(({ partition, window }) => [partition, window!.firstOffset]),
          [[0, 2], [1, 2]],
        );
      });
    }
  }
});

Deno.test("events: a file cut by its user continues where it ends", async () => {
  await withFile(async (file) => {
    await writeBatch(file, 0, 0, [0, 1]);
    await Deno.truncate(file, 0);
    await writeBatch(file, 0, 1, [2]);
    assert.deepEqual((await linesOf(file)).map((line) => line.window!.firstOffset), [2]);
  });
});

Deno.test("events: lines of others stay, also when a lane starts anew", async () => {
  await withFile(async (file) => {
    await Deno.writeTextFile(file, '{"query":"other","partition":0}\nno json');
    await writeBatch(file, 0, 0, [0, 1]);
    await writeBatch(file, 1, 0, [0]);
    await writeBatch(file, 0, 0, [0, 1]);
    const lines = (await Deno.readTextFile(file)).split("\n");
    assert.deepEqual(lines.slice(0, 2), ['{"query":"other","partition":0}', "no json"]);
    assert.deepEqual(
      lines.slice(2, -1).map((line) => (JSON.parse(line) as Result).partition),
      [1, 0, 0],
    );
  });
});

Deno.test("events: a long file that is ahead keeps every byte of the lines of others", async () => {
  await withFile(async (file) => {
    // With a byte order mark, of no encoding, and longer than what is copied at once.
    const others = new Uint8Array(700_000).map((_, i) => i % 97 === 96 ? 0x0a : 0xbf + i % 7);
    others.set([0xef, 0xbb, 0xbf]);
    others[others.length - 1] = 0x0a;
    await Deno.writeFile(file, others);
    for (const _ of [0, 1]) await writeBatch(file, 0, 0, [0, 1]);
    const bytes = await Deno.readFile(file);
    assert.ok(Buffer.from(others).equals(bytes.subarray(0, others.length)));
    const own = new TextDecoder().decode(bytes.subarray(others.length)).trimEnd().split("\n");
    assert.deepEqual(own.map((line) => (JSON.parse(line) as Result).window!.firstOffset), [0, 1]);
  });
});

Deno.test("events: what becomes of a file that is ahead, or existed before, is reported as it is", async () => {
  await withFile(async (file) => {
    const reported: string[] = [];
    const run = async (committedEnd: number) => {
      const context = sinkContext({ committedEnd, report: (message) => reported.push(message) });
      const task = await events({ file }).open(context);
      const batch = { batchId: 0, start: committedEnd, end: committedEnd + 3 };
      await task.write!([0, 1, 2].map((i) => frame(0, committedEnd + i)), batch);
      await task.flush!(batch);
      await task.committed!(batch);
      await task.close!();
    };
    const rest = ": it continues at offset 0 of VideoStreaming partition 0, " +
      "without later lines of this query and partition; all others stay";
    await Deno.writeTextFile(file, "{}\n");
    await run(0);
    assert.deepEqual(reported, [`${file} existed before${rest}`]);
    await run(0);
    assert.deepEqual(reported.slice(1), [`${file} was ahead of the checkpoint${rest}`]);
    assert.equal((await linesOf(file)).length, 4);
  });
});

Deno.test("events: a new group that begins later keeps the lines before, which do not come again", async () => {
  await withFile(async (file) => {
    const log = logOf(10);
    for (const [group, offset] of [["a", 0], ["b", 6], ["c", 10]] as const) {
      if (group === "c") append(log, 2, 10);
      const definition = query("q")
        .readStream({ startingOffsets: { VideoStreaming: { 0: offset } } })
        .writeStream(events({ file })).trigger("available-now");
      await runQuery(definition, { log, group });
    }
    assert.deepEqual((await linesOf(file)).map(({ window }) => window!.lastOffset), upTo(12));
  });
});

Deno.test("events: all batches that a crash of the machine took from the file are written again", async () => {
  await withFile(async (file) => {
    const task = await events({ file }).open(sinkContext({ committedBatch: -1 }));
    for (let at = 0; at < 4; at++) {
      const batch = { batchId: at, start: at, end: at + 1 };
      // A batch without outputs is no end of what is missing.
      await task.write!(at === 1 ? [] : [frame(0, at)], batch);
      await task.flush!(batch);
      // The last one is not committed, so that nothing is synced at the end.
      if (at < 3) await task.committed!(batch);
    }
    await task.close!();
    await Deno.truncate(file, 0);
    await writeBatch(file, 0, 3, [3]);
    assert.deepEqual((await linesOf(file)).map((line) => line.window!.firstOffset), [0, 2, 3]);
  });
});

Deno.test("events: something that is no file is refused", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await Deno.symlink("elsewhere.jsonl", `${directory}/link.jsonl`);
    for (const file of [directory, `${directory}/link.jsonl`]) {
      await assert.rejects(
        async () => await events({ file }).open(sinkContext()),
        /Cannot write .*: it is a link, a folder or a device/,
      );
    }
    assert.equal(await Deno.readLink(`${directory}/link.jsonl`), "elsewhere.jsonl");
    assert.throws(() => events({ file: "" }), RangeError);
    assert.throws(() => events({ file: "out/" }), RangeError);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
