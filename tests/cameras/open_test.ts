import assert from "node:assert/strict";
import { join } from "node:path";
import { checkSource, makeSource, settingRemarks } from "../../cameras/open.ts";
import { SourceError } from "../../cameras/source.ts";
import { launchOf } from "../security/task.ts";
import { withFolder } from "../support/folder.ts";
import { runToMemory, take } from "./kit.ts";

const invalid = (pattern: RegExp) => (error: unknown) =>
  error instanceof SourceError && error.code === "INVALID" && pattern.test(error.message);

Deno.test("what a run may read for a source is what the source reads", () => {
  const paths = {
    "/films/a?b#c%20d.mp4": "/films/a?b#c%20d.mp4",
    "file:/films/a?b.mp4": "/films/a?b.mp4",
    "file:///films/a%20b%3f.mp4": "/films/a b?.mp4",
    "file://localhost/films/a.mp4#x": "/films/a.mp4",
    "file:///films/a%20b.ts:7": "/films",
  };
  for (const [source, path] of Object.entries(paths)) {
    assert.ok(launchOf("camera", ["1", "--source", source]).access.read.has(path), source);
  }
});

Deno.test("a source's text is checked without a look at any file", () => {
  for (
    const text of [
      "nowhere/a.mp4",
      "/x y/ü %41 'q\".mp4",
      "file:///a%20b.mp4",
      "Hall: 3.mp4",
      "./1:2",
    ]
  ) {
    checkSource(text);
  }
  assert.throws(() => checkSource(""), invalid(/empty source: expected a video file/));
  assert.throws(() => checkSource("-"), invalid(/standard input .* named pipe/));
  assert.throws(() => checkSource("patern:?fps=3"), invalid(/starts with "patern:".*pattern:/));
  assert.throws(() => checkSource("htp://h/a.mp4"), invalid(/starts with "htp:"/));
  for (const text of ["10.0.0.4:554/live", "cam:8080", "anna:s3cret@cam/live", "anna@cam:80/x"]) {
    assert.throws(
      () => checkSource(text),
      (error) => invalid(/without its protocol/)(error) && !String(error).includes("s3cret"),
    );
  }
});

const MODULE = `
import { sourceType, ticks } from "${new URL("../../cameras/mod.ts", import.meta.url)}";
export default sourceType({
  form: "./tick.ts:FIRST",
  help: "One byte a picture",
  make: (text: string, rest: string, { fps = 50 }) => ({
    description: text,
    kind: "live",
    async *open(context) {
      let n = Number(rest);
      for await (const timestamp of ticks(fps as number, context)) {
        yield { value: new Uint8Array([n++]), contentType: "image/jpeg", timestamp };
      }
    },
  }),
});`;

Deno.test("a module of a user's own is a source like ours; a recording may end in .ts as well", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "tick.ts");
    await Deno.writeTextFile(path, MODULE);
    const { records } = await runToMemory(`${path}:7`, { settings: { fps: 100 }, limit: 3 });
    assert.deepEqual(records.map(({ value }) => value[0]), [7, 8, 9]);
    checkSource(`${path}:7`);
    await assert.rejects(take(makeSource(path)), /add a colon after it/);
    await assert.rejects(makeSource(`${path}:7`, { codec: "copy" }), invalid(/no H.264 or H.265/));
    await Deno.writeTextFile(join(folder, "none.ts"), "export default 7;");
    await assert.rejects(makeSource(join(folder, "none.ts:")), invalid(/expected its default/));
    await assert.rejects(
      makeSource(join(folder, "away.ts:")),
      invalid(/away\.ts as a source: Mod/),
    );
  });
});

Deno.test("a source that hangs when it should end is left behind", async () => {
  const stop = new AbortController();
  const { records } = await runToMemory("", {
    stop,
    source: {
      description: "deaf",
      kind: "recorded",
      async *open() {
        yield { value: new Uint8Array([1]), contentType: "image/jpeg", timestamp: 0 };
        stop.abort();
        await new Promise(() => {});
      },
    },
  });
  assert.equal(records.length, 1);
});

Deno.test("settings without effect on their source are named, and no warning of certificates with them", () => {
  const settings = {
    ...{ loop: true, stallMs: 1, openTimeoutMs: 1, tlsCa: "a.pem" },
    ...{ tlsInsecure: true, fps: 5, name: "Door" },
  };
  const named = (text: string) => settingRemarks(text, settings).join("\n");
  assert.equal(
    named("films/a.mp4"),
    "--stall, --open-timeout, --tls-ca, --tls-insecure: no effect on source films/a.mp4",
  );
  assert.equal(
    named("rtsp://anna:canary@cam/1"),
    "--loop, --tls-ca, --tls-insecure: no effect on source rtsp://anna:***@cam/1",
  );
  assert.match(named("rtsps://cam/1"), /^--loop: no effect on .*\nWARNING: certificates are not/);
  assert.match(named("http://cam/1"), /^--loop: no effect on .*\nWARNING: certificates are not/);
  assert.match(named("device:0"), /^--loop, --open-timeout, --tls-ca, --tls-insecure: no effect/);
  assert.deepEqual(settingRemarks("pattern:", { loop: false, tlsInsecure: false, stallMs: 1 }), []);
  assert.match(named("./mine.ts:7"), /^WARNING/);
});
