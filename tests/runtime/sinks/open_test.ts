import assert from "node:assert/strict";
import { loadSink, openSink } from "../../../runtime/sinks/open.ts";

Deno.test("openSink: every form of the command line", () => {
  const uris = ["display", "console", "images:out/a b", "events:out/x.jsonl", "topic:OUT"];
  for (const uri of uris) assert.equal(openSink(uri).uri, uri);
  assert.equal(openSink("console?rate=0.5").delivery, "live");
  assert.equal(openSink("video:rec?format=avi&roll=10m&group=1s").uri, "video:rec");
  assert.equal(openSink("video:rec?roll=1.5GB&preset=fast&crf=30").delivery, "exactly-once");
});

Deno.test("openSink: each fault says what was given and what is accepted", () => {
  const faults: [string, RegExp][] = [
    ["", /Unknown sink "": expected display, console, images:DIR/],
    ["disply", /Unknown sink "disply"/],
    ["toString", /Unknown sink/],
    ["file:/x", /Unknown sink "file:\/x"/],
    ["display:now", /Cannot use sink "display:now": expected display alone/],
    ["images", /Cannot use sink "images": expected images:DIR/],
    ["images:", /expected images:DIR/],
    ["events:x?roll=1m", /unknown option roll, expected events:FILE without options/],
    ["console?speed=1", /unknown option speed, expected rate/],
    ["console?rate=1&rate=2", /option rate was given more than once/],
    ["console?rate=fast", /Cannot use "fast" as a number/],
    ["video:", /expected video:DIR/],
    ["video:out?format=mkv", /Cannot write video: format: expected mp4 or avi, given "mkv"/],
    ["video:out?format=avi&crf=9", /Cannot write video: crf: expected it with format mp4 alone/],
    ["video:out?roll=often", /Cannot roll videos at "often": expected a duration such as 10m or a/],
    ["video:out?crf=x", /Cannot use "x" as a number/],
    ["topic:a b", /Cannot write to topic "a b"/],
  ];
  for (const [uri, message] of faults) {
    assert.throws(() => openSink(uri), (error: Error) => {
      assert.equal(error.name, "RangeError");
      assert.match(error.message, message, uri);
      return true;
    });
  }
});

Deno.test("openSink: secrets of a mistaken address are not repeated", () => {
  assert.throws(
    () => openSink("http://user:hunter2@host/path?token=abc"),
    (error: Error) => !/hunter2|abc/.test(error.message),
  );
});

Deno.test("loadSink: a module's own kind of sink, with its options typed and checked", async () => {
  const folder = await Deno.makeTempDir();
  const runtime = new URL("../../../runtime/sinks/mod.ts", import.meta.url).href;
  const path = `${folder}/50 %41 tables.ts`;
  await Deno.writeTextFile(
    path,
    `import { sinkType } from "${runtime}";
export default sinkType({
  name: "postgres",
  target: "TABLE",
  help: "a row for each output",
  options: { batch: { value: "N", help: "rows at once", parse: (text: string) => Number(text) } },
  open: ({ target, options: { batch = 1 } }) => ({
    uri: "postgres:" + target + ":" + (batch + 1),
    delivery: "at-least-once",
    open: () => ({}),
  }),
});`,
  );
  await Deno.writeTextFile(`${folder}/none.ts`, "export default 7;");
  const nameless = `import { sinkType } from "${runtime}"; export default sinkType({ open() {} });`;
  await Deno.writeTextFile(`${folder}/nameless.ts`, nameless);
  try {
    assert.equal((await loadSink(`${path}:frames?batch=4`)).uri, "postgres:frames:5");
    await assert.rejects(loadSink(path), /expected postgres:TABLE/);
    await assert.rejects(loadSink(`${path}:x?size=1`), {
      name: "QueryOptionsError",
      message: /unknown option size, expected batch/,
    });
    for (const name of ["none", "nameless"]) {
      await assert.rejects(loadSink(`${folder}/${name}.ts:x`), /expected its default export to be/);
    }
    await Deno.writeTextFile(`${folder}/broken.ts`, 'throw new Error("No database");');
    await assert.rejects(loadSink(`${folder}/broken.ts:x`), {
      name: "QueryOptionsError",
      message: /Cannot load .*broken\.ts: No database \(.*broken\.ts:1:7\)/,
    });
    assert.equal((await loadSink("display")).uri, "display");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
