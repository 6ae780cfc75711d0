import assert from "node:assert/strict";
import { join } from "node:path";
import { parseCommand, UsageError } from "../../cli/command.ts";
import { commands } from "../../cli/registry.ts";
import type { Frame } from "../../runtime/definition/frame.ts";
import { encodeJpeg } from "../../runtime/image/jpeg.ts";
import { openLog } from "../../runtime/log/open.ts";
import { burntIn, framelane } from "./kit.ts";
import { until } from "../support/until.ts";
import { withFolder } from "../support/folder.ts";

const cameras = await commands["cameras"]!.load();

const CLIP = join(import.meta.dirname!, "..", "..", "clips", "bigbuckbunny.mp4");
const TOPIC = "VideoStreaming";

/** Runs a command to its end. */
async function run(
  args: readonly string[],
  options: { readonly env?: Record<string, string> } = {},
) {
  const { code, stdout, stderr } = await framelane(args, options).output();
  const out = new TextDecoder().decode(stdout);
  return { code, out, error: new TextDecoder().decode(stderr), lines: out.trim().split("\n") };
}

/** All frames of a partition. */
async function framesOf(url: string, partition: number, topic = TOPIC): Promise<Frame[]> {
  const log = await openLog(url);
  try {
    const { earliest, latest } = await log.offsets(topic, partition);
    const reader = await log.reader();
    const open = await reader.open(topic, partition, earliest);
    const frames: Frame[] = [];
    while (open.position < latest) frames.push(...await open.read(100));
    return frames.map((frame) => ({ ...frame, value: frame.value.slice() }));
  } finally {
    await log.close();
  }
}

async function countOf(url: string, partition: number): Promise<number> {
  const log = await openLog(url);
  try {
    return (await log.partitionCount(TOPIC)) > partition
      ? (await log.offsets(TOPIC, partition)).latest
      : 0;
  } finally {
    await log.close();
  }
}

Deno.test("camera: a video file into its partition, all of it, with a summary", async () => {
  await withFolder(async (folder) => {
    const url = `embedded:${folder}/log`;
    const { code, lines, error } = await run([
      "camera",
      "3",
      `--source=${CLIP}`,
      "--fps=max",
      `--log=${url}`,
      "--json",
    ]);
    assert.equal(code, 0, error);
    const { seconds, bytes, ...summary } = JSON.parse(lines.at(-1)!);
    assert.deepEqual(summary, {
      type: "summary",
      camera: "CAMERA-3",
      partition: 2,
      published: 132,
      dropped: 0,
    });
    const frames = await framesOf(url, 2);
    assert.equal(frames.length, 132);
    assert.equal(frames.reduce((sum, { value }) => sum + value.length, 0), bytes);
    assert.ok(seconds > 0);
    assert.deepEqual(frames.map(({ headers }) => headers.seq), frames.map((_, i) => String(i)));
    assert.ok(frames.every(({ key }) => key === "CAMERA-3"));
    assert.ok(frames.every(({ headers }) => headers["content-type"] === "image/jpeg"));
    const steps = frames.slice(1).map(({ timestamp }, i) => timestamp - frames[i]!.timestamp);
    assert.deepEqual(new Set(steps), new Set([40]));
    // The lower partitions were made, and hold nothing.
    assert.equal((await framesOf(url, 0)).length, 0);
    // Piped: words, and nothing that moves.
    assert.ok(!error.includes("\r") && !error.includes("\x1b"), JSON.stringify(error));
  });
});

Deno.test("camera: Ctrl-C publishes what is buffered and ends well", async () => {
  await withFolder(async (folder) => {
    const url = `embedded:${folder}/log`;
    // All by environment: each option has a variable.
    const child = framelane(["camera", "1"], {
      env: {
        FRAMELANE_SOURCE: "pattern:?size=160x120",
        FRAMELANE_FPS: "50",
        FRAMELANE_LOG: url,
        FRAMELANE_JSON: "1",
        FRAMELANE_LINGER_MS: "100",
      },
    }).spawn();
    await until("frames arrive", async () => await countOf(url, 0) > 10);
    child.kill("SIGINT");
    const { code, stdout } = await child.output();
    assert.equal(code, 0);
    const summary = JSON.parse(new TextDecoder().decode(stdout).trim().split("\n").at(-1)!);
    assert.equal(summary.dropped, 0);
    const frames = await framesOf(url, 0);
    assert.equal(frames.length, summary.published);
    for (const frame of frames) assert.equal(await burntIn(frame.value), Number(frame.headers.seq));
  });
});

Deno.test("camera: all faults of one call together, exit code 2; what fails later, exit code 1", async () => {
  const wrong = await run([
    "camera",
    "zero",
    "--source=ftp://eve:canary@host/",
    "--size=9",
    "--log=oracle:x",
    "--quality=101",
    "--acks=two",
    "--loops",
  ]);
  assert.equal(wrong.code, 2);
  for (
    const fault of [
      /camera "zero": expected its number, 1 to 10000/,
      /expected a video file, a folder/,
      /--size "9": expected WIDTHxHEIGHT/,
      /--log "oracle:…": expected embedded:DIR or kafka:/,
      /--quality "101": expected a whole number from 1 to 100/,
      /--acks "two": expected all, leader or none/,
      /--loops: did you mean --loop\?/,
    ]
  ) assert.match(wrong.error, fault);
  assert.ok(!wrong.error.includes("canary"));
  assert.equal(wrong.out, "");
  await withFolder(async (folder) => {
    const missing = await run([
      "camera",
      "1",
      `--source=${folder}/none.mp4`,
      `--log=embedded:${folder}/log`,
      "--json",
    ]);
    assert.equal(missing.code, 1);
    assert.match(missing.error, /there is no such file/);
    assert.equal(JSON.parse(missing.lines.at(-1)!).published, 0);
  });
});

Deno.test("camera: a watched folder that another process fills, each image once over two runs", async () => {
  await withFolder(async (folder) => {
    const url = `embedded:${folder}/log`;
    const images = `${folder}/images`;
    await Deno.mkdir(`${images}/calm`, { recursive: true });
    const data = new Uint8Array(64 * 64).fill(77);
    await Deno.writeFile(
      `${folder}/one.jpg`,
      await encodeJpeg({ data, width: 64, height: 64, channels: 1 }),
    );
    await Deno.copyFile(`${folder}/one.jpg`, `${images}/calm/0.jpg`);
    const watch = () =>
      framelane([
        "camera",
        "1",
        `--source=${images}`,
        `--log=${url}`,
        `--state=${folder}/state.kv`,
      ]).spawn();
    let camera = watch();
    await until("the first image", async () => await countOf(url, 0) === 1);
    const filler = await new Deno.Command("/bin/sh", {
      args: ["-c", `for n in 1 2 3 4 5; do cat ${folder}/one.jpg > ${images}/calm/$n.jpg; done`],
    }).output();
    assert.ok(filler.success);
    await until("the others", async () => await countOf(url, 0) === 6);
    camera.kill("SIGKILL");
    await camera.output();
    await Deno.copyFile(`${folder}/one.jpg`, `${images}/6.jpg`);
    camera = watch();
    try {
      await until("the last", async () => await countOf(url, 0) >= 7);
    } finally {
      camera.kill("SIGTERM");
      const { code, stderr } = await camera.output();
      assert.equal(code, 0, new TextDecoder().decode(stderr));
    }
    const frames = await framesOf(url, 0);
    assert.deepEqual(
      frames.map(({ headers }) => [headers.file, headers.label]).sort(),
      [
        ["6.jpg", undefined],
        ...[0, 1, 2, 3, 4, 5].map((n) => [`calm/${n}.jpg`, "calm"]),
      ],
    );
  });
});

Deno.test("cameras: registered, listed, run together, changed while they run; passwords hidden", async () => {
  await withFolder(async (folder) => {
    const url = `embedded:${folder}/log`;
    const state = `--state=${folder}/cameras.kv`;
    const outputs: string[] = [];
    const call = async (...args: string[]) => {
      const result = await run(["cameras", ...args, state]);
      outputs.push(result.out, result.error);
      return result;
    };
    assert.equal((await call("add", "1", "pattern:?size=160x120", "--fps", "20")).code, 0);
    assert.equal((await call("add", "2", "rtsp://anna.b:canary@127.0.0.1:1/x")).code, 0);
    const { lines } = await call("list", "--json");
    const words = await call("add", "9", "pattern:", "--name", "Anna's door", "--place=Yard");
    assert.match(words.error, /pattern: '--name=Anna'\\''s door' --place=Yard$/m);
    assert.equal((await call("remove", "9")).code, 0);
    assert.deepEqual(lines.map((line) => JSON.parse(line)), [
      {
        type: "camera",
        camera: "CAMERA-1",
        partition: 0,
        source: "pattern:?size=160x120",
        fps: 20,
      },
      {
        type: "camera",
        camera: "CAMERA-2",
        partition: 1,
        source: "rtsp://anna.b:***@127.0.0.1:1/x",
      },
    ]);
    const child = framelane([
      "cameras",
      "run",
      state,
      `--log=${url}`,
      "--json",
      "--metrics-port=0",
    ]).spawn();
    const errors = readAll(child.stderr);
    await until("camera 1 publishes", async () => await countOf(url, 0) > 5);
    assert.equal((await call("add", "5", CLIP, "--loop", "--size", "160x90")).code, 0);
    await until("camera 5 publishes", async () => await countOf(url, 4) > 5);
    assert.equal((await call("add", "5", CLIP, "--loop", "--size", "80x45")).code, 0);
    await until(
      "camera 5 has changed",
      async () => (await framesOf(url, 4)).at(-1)?.headers["width"] === "80",
    );
    const port = /Metrics at http:\/\/127.0.0.1:(\d+)/.exec(errors.text)![1]!;
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    assert.match(
      metrics,
      /framelane_frames_published_total\{topic="VideoStreaming",partition="0",camera="CAMERA-1"\} \d+/,
    );
    assert.equal((await call("remove", "1")).code, 0);
    await until("camera 1 stands still", async () => {
      const before = await countOf(url, 0);
      await new Promise((resolve) => setTimeout(resolve, 400));
      return await countOf(url, 0) === before;
    });
    child.kill("SIGINT");
    const summaries = (await new Response(child.stdout).text()).trim().split("\n")
      .map((line) => JSON.parse(line)).filter(({ type }) => type === "summary");
    assert.equal((await child.status).code, 0);
    await errors.done;
    outputs.push(errors.text, metrics, JSON.stringify(summaries));
    assert.deepEqual(summaries.map(({ camera }) => camera), [
      "CAMERA-5",
      "CAMERA-1",
      "CAMERA-2",
      "CAMERA-5",
    ]);
    assert.equal(summaries[1].published, await countOf(url, 0));
    assert.equal(summaries[0].published + summaries[3].published, await countOf(url, 4));
    assert.match(errors.text, /CAMERA-2: .*connection refused; trying again/);
    assert.ok(!outputs.join("\n").includes("canary"));
  });
});

Deno.test("cameras: wrong use says what is accepted", async () => {
  for (
    const [args, fault] of [
      [[], /expected add, list, remove, run, probe or discover/],
      [["ad", "1", "pattern:"], /did you mean add\?/],
      [["add", "x", "gopher://u:canary@h/"], /camera "x": expected its number/],
      [
        ["add", "1", "gopher://u:canary@h/"],
        /Cannot use a source that starts with "gopher:": expected a video file/,
      ],
      [["add", "1"], /Missing SOURCE: expected deno task cameras add N SOURCE/],
      [["remove"], /Missing N: expected deno task cameras remove N/],
      [["list", "all"], /argument "all": expected deno task cameras list$/],
    ] as const
  ) {
    await assert.rejects(
      parseCommand(cameras, args, () => undefined),
      (error) =>
        error instanceof UsageError && fault.test(error.message) &&
        !error.message.includes("canary"),
      args.join(" "),
    );
  }
});

/** Collects a stream's text while it comes. */
function readAll(stream: ReadableStream<Uint8Array>) {
  const collected = { text: "", done: Promise.resolve() };
  const read = async () => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) collected.text += decoder.decode(chunk, { stream: true });
  };
  collected.done = read();
  return collected;
}
