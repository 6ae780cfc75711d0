/** Names, labels and keys that want to steer terminals, spreadsheets, metrics and paths. */
import assert from "node:assert/strict";
import { Annotations } from "../../cameras/annotations.ts";
import { printable } from "../../runtime/base/mask.ts";
import type { LogRecord } from "../../runtime/log/log.ts";
import { records } from "../support/frames.ts";
import { denoArguments, FramelaneProcess } from "../support/framelane.ts";
import { withLog } from "../support/log.ts";

const STEERING = new RegExp(
  String.raw`[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]`,
);
/** A line of Prometheus' text format. */
const METRIC =
  /^$|^#|^[a-z][a-z0-9_]+(?:\{(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*\})? (?:NaN|[-+]?(?:Inf|[\d.e+-]+))$/;
/** What may go wrong with a text: a terminal's codes of both kinds, turned text, paths, formulas, metrics. */
const TEXTS = [
  "\x1b]0;owned\x07\x1b[2J",
  "\x9b31mred",
  "\u202eexe.txt",
  "../../../../etc/passwd",
  '=HYPERLINK("http://x","y")',
  "+1+cmd|' /C calc'!A0",
  "-2+3",
  "@SUM(A1)",
  "'=already",
  "\tx",
  'a"} 1\nframelane_evil{x="',
];

Deno.test("hostile names, labels and keys of records reach no terminal, path, metric or spreadsheet as they are", async () => {
  await withLog(async (url, log, folder) => {
    await log.createTopic("VideoStreaming", 1);
    const batch = records(1, TEXTS.length).map((record, i): LogRecord => ({
      ...record,
      key: TEXTS[i]!,
      headers: {
        ...record.headers,
        label: TEXTS[i]!,
        "camera-name": TEXTS[i]!,
        "camera-place": TEXTS[i]!,
        session: TEXTS[i]!,
      },
    }));
    const producer = await log.producer();
    await producer.append("VideoStreaming", 0, batch);
    await producer.close();
    const process = new FramelaneProcess([
      ...["queries", "passthrough", "--log", url, "--starting-offsets", "earliest", "--json"],
      ...["--port", "0", "--sink", `images:${folder}/images`, "--sink", "console?rate=100"],
      ...["--sink", `events:${folder}/events/a.jsonl`, "--sink", `video:${folder}/video`],
    ]);
    await process.until(
      "all frames",
      () =>
        process.progress(0).at(-1)?.sources[0]?.endOffset["VideoStreaming"]?.[0] ===
          TEXTS.length,
    );
    const viewer = /http:\/\/127\.0\.0\.1:\d+\//.exec(process.said.join("\n"))![0];
    const metrics = await (await fetch(`${viewer}metrics`)).text();
    await process.stop();
    for (const line of process.said) assert.doesNotMatch(line, STEERING, JSON.stringify(line));
    for (const line of metrics.split("\n")) assert.match(line, METRIC);
    const files = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
    assert.deepEqual(files, ["events", "images", "log", "video"]);
    assert.deepEqual(
      [...Deno.readDirSync(`${folder}/images`)].map(({ name }) => name).sort(),
      [".framelane", "CAMERA-1", "annotations.csv"],
    );
    const table = await Deno.readTextFile(`${folder}/images/annotations.csv`);
    assert.doesNotMatch(table, /,"?[=+@\t-](?!\d+")/);
    // A folder of images as a camera gives the labels back.
    const annotations = new Annotations(`${folder}/images`);
    await annotations.refresh(() => {});
    const names = [...Deno.readDirSync(`${folder}/images/CAMERA-1`)].map(({ name }) => name).sort();
    for (const [i, name] of names.entries()) {
      assert.equal(
        annotations.of(`CAMERA-1/${name}`)["label"],
        TEXTS[i]!.replaceAll(/[\r\n]+/g, " "),
      );
    }
  });
});

Deno.test("arguments that steer a terminal are shown as text", async () => {
  const { stderr, code } = await new Deno.Command(Deno.execPath(), {
    args: denoArguments(["queries", "\x1b[2Jx", "--port", "\x9b5m"]),
    env: { NO_COLOR: "1" },
  }).output();
  assert.equal(code, 2);
  assert.doesNotMatch(new TextDecoder().decode(stderr), STEERING);
});

Deno.test("what is written as text stays the same JSON", () => {
  for (const text of TEXTS) {
    const line = printable(JSON.stringify({ text }));
    assert.doesNotMatch(line, STEERING);
    assert.deepEqual(JSON.parse(line), { text });
  }
  assert.equal(printable("plain: Größe 640×480\n\tline"), "plain: Größe 640×480\n\tline");
});
