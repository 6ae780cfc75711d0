import assert from "node:assert/strict";
import { openSink } from "../../../runtime/sinks/open.ts";

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
    ["video:out?format=mkv", /Cannot write video as "mkv": expected mp4 or avi/],
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
