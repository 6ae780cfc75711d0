/**
 * The npm package in a folder that knows nothing of the repository: the demo, a query, a program on both logs, and
 * `up` with an edit while it runs.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
// Loaded before the test: native libraries stay with the thread and are no test's leak.
import "../../queries/operators/mod.ts";
import { BROKER_VARIABLE } from "../../tools/broker.ts";
import { Installation } from "./installation.ts";
import { pack } from "../../tools/pack.ts";
import { kill } from "../support/processes.ts";
import { until } from "../support/until.ts";

const BROKER = `kafka://${Deno.env.get(BROKER_VARIABLE)}`;
const MAY = ["read", "write", "net", "env", "sys", "ffi"].map((kind) => `--allow-${kind}`);
const RUN = crypto.randomUUID().slice(0, 8);

const QUERY = `import { display, type Frame, query } from "@framelane/framelane";
import { greyscale } from "@framelane/framelane/operators";

export default query("mine")
  .readStream({ startingOffsets: "earliest" })
  .map((frame: Frame) => frame)
  .process(greyscale())
  .writeStream(display());
`;

const PROGRAM = `import { encodeJpeg, openLog, query, start } from "@framelane/framelane";
import { events } from "@framelane/framelane/sinks";

const [url, topic] = Deno.args as [string, string];
const image = { data: new Uint8Array(64 * 48 * 3), width: 64, height: 48, channels: 3 } as const;
const value = await encodeJpeg(image);
{
  const log = await openLog(url);
  await log.createTopic(topic, 1);
  const producer = await log.producer();
  await producer.append(topic, 0, [1, 2, 3].map((timestamp) => ({ key: null, value, timestamp, headers: {} })));
  await producer.close();
  await log.close();
}
const seen: number[] = [];
const definition = query(topic)
  .readStream({ startingOffsets: "earliest" })
  .map((frame) => {
    seen.push(frame.offset);
    return frame;
  })
  .writeStream(events({ file: topic + ".jsonl" }));
const streams = await start(definition, { log: url, topic, checkpoint: "checkpoints" });
await streams.processAllAvailable();
await streams.stop();
console.log("offsets", ...seen);
`;

/** A command of the package at work: what it says, line by line. */
class Running {
  readonly #child: Deno.ChildProcess;
  readonly #waiting = new Set<() => void>();
  readonly #streams: Promise<unknown>;
  #said = "";

  constructor({ folder, env }: Installation, args: readonly string[]) {
    this.#child = new Deno.Command("node", {
      args: ["node_modules/.bin/framelane", ...args],
      cwd: folder,
      env: { ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const read = async (stream: ReadableStream<Uint8Array>) => {
      for await (const text of stream.pipeThrough(new TextDecoderStream())) {
        this.#said += text;
        for (const wake of this.#waiting) wake();
      }
    };
    this.#streams = Promise.all([read(this.#child.stdout), read(this.#child.stderr)]);
  }

  /** Waits until it has said this; an end before that is a failure. */
  async until(pattern: RegExp): Promise<string> {
    let ended = false;
    const end = this.#streams.then(() => ended = true);
    for (;;) {
      const found = pattern.exec(this.#said);
      if (found !== null) return found[0];
      if (ended) throw new Error(`Waited for ${pattern} in vain:\n${this.#said}`);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add(resolve);
      await Promise.race([promise, end]);
      this.#waiting.delete(resolve);
    }
  }

  /** Ends it as Ctrl-C in a terminal does, which reaches the command below it too. */
  async stop(): Promise<void> {
    kill(this.#child, "SIGTERM");
    await this.#child.status;
    await this.#streams;
  }
}

Deno.test("the package in an empty folder", async (t) => {
  const place = await Deno.makeTempDir({ prefix: "framelane-tarball-" });
  const tarball = await pack(place);
  await using installation = await Installation.of(tarball);
  const file = (name: string) => join(installation.folder, name);
  const framelane = (...args: string[]) => installation.run("npx", ["framelane", ...args]);
  const camera = ["--source", "pattern:?size=64x48", "--fps", "max", "--limit", "20"];
  await Deno.writeTextFile(file("mine.ts"), QUERY);
  await Deno.writeTextFile(file("program.ts"), PROGRAM);

  await t.step("is small without video and models, and says how to get them", async () => {
    assert.match(await framelane("demo", "--help"), /^npx framelane demo/);
    assert.match(await framelane("install", "--help"), /^npx framelane install \[video\|/);
    assert.ok(await installation.megabytes() < 60);
    await assert.rejects(
      framelane(
        "camera",
        "1",
        "--source",
        "node_modules/@framelane/framelane/clips/bigbuckbunny.mp4",
      ),
      /Cannot use video without the package node-av: install it with npx framelane install video\n/,
    );
  });

  await t.step("a query of one's own runs", async () => {
    await framelane("camera", "1", ...camera);
    const said = await framelane(
      "queries",
      "./mine.ts",
      "--trigger",
      "available-now",
      "--port",
      "off",
    );
    assert.match(said, /mine: 20 frames in, 20 outputs/);
  });

  await t.step("a query with a wrong type is refused before it runs", async () => {
    const wrong = QUERY.replace(".map(", ".window({ frames: 4 })\n  .map(");
    await Deno.writeTextFile(file("wrong.ts"), wrong);
    await assert.rejects(
      framelane("queries", "./wrong.ts", "--trigger", "available-now", "--port", "off"),
      /TS2345|TS2769/,
    );
  });

  for (const [log, name] of [["embedded:program", "embedded"], [BROKER, "Kafka"]] as const) {
    await t.step(`a program runs a query on ${name}, with its types`, async () => {
      const run = ["run", "--check", ...MAY, "program.ts"];
      assert.match(await installation.run("deno", [...run, log, `P-${RUN}`]), /^offsets 0 1 2$/m);
    });

    await t.step(`up on ${name} follows an edit`, async () => {
      const write = (cameras: number, queries: readonly string[]) =>
        Deno.writeTextFile(
          file("framelane.yaml"),
          [
            `log: ${log}\ntopic: UP-${RUN}\nviewer: off\ncheckpoint: checkpoints-up\ncameras:`,
            ...Array.from(
              { length: cameras },
              (_, index) => `  - { number: ${index + 1}, source: "pattern:?size=64x48", fps: 10 }`,
            ),
            "queries:",
            ...queries.map((query) => `  - { query: ${query} }`),
          ].join("\n"),
        );
      await write(1, ["./mine.ts"]);
      const up = new Running(installation, ["up"]);
      try {
        await up.until(/mine QUERY-PARTITION-0 reads/);
        await write(1, ["./mine.ts", "passthrough"]);
        await up.until(/passthrough QUERY-PARTITION-0 reads/);
      } finally {
        await up.stop();
      }
    });
  }

  await t.step("the demo runs, with all that it needs", async () => {
    const demo = new Running(installation, ["demo", "--port", "0"]);
    try {
      const url = await demo.until(/http:\/\/127\.0\.0\.1:\d+\//);
      for (const query of ["motion", "greyscale", "objects"]) {
        const works = new RegExp(
          `^framelane_frames_processed_total.*query="${query}".* [1-9]`,
          "m",
        );
        await until(
          `${query} takes frames`,
          async () => works.test(await (await fetch(`${url}metrics`)).text()),
        );
      }
    } finally {
      await demo.stop();
    }
    assert.ok(await installation.megabytes() < 300);
  });

  await t.step("Node gets one sentence that says what to do", async () => {
    await assert.rejects(
      installation.run("node", ["-e", 'import "@framelane/framelane"']),
      /Error: Framelane runs on Deno: start your program with deno run, or use npx framelane\n/,
    );
  });
  await Deno.remove(place, { recursive: true });
});
