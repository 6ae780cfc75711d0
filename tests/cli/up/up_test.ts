/** One file runs cameras and queries; edits take effect while it runs. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { resolvePlan } from "../../../cli/up/resolve.ts";
import { UpRun } from "../../../cli/up/run.ts";
import { openLog } from "../../../runtime/log/open.ts";
import { withFolder } from "../../support/folder.ts";
import { framelane, FramelaneProcess, ROOT } from "../../support/framelane.ts";
import { until } from "../../support/until.ts";
import { freePort } from "../../../tools/kafka/probe.ts";

const camera = (number: number, fps: number) =>
  `  - { number: ${number}, source: "pattern:?size=64x48", fps: ${fps} }\n`;
const grey = '  - { query: greyscale, sinks: ["topic:GREY"], startingOffsets: earliest }\n';
const motion = '  - { query: motion, sinks: ["topic:MOTION"], startingOffsets: earliest }\n';

Deno.test("cameras and queries follow the file, and what did not change continues", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "framelane.yaml");
    const write = (cameras: string, queries: string) =>
      Deno.writeTextFile(
        file,
        `log: embedded:${folder}/log\nstate: ${folder}/cameras.kv\nviewer: off\ncameras:\n${cameras}queries:\n${queries}`,
      );
    await write(camera(1, 20), grey);
    const process = new FramelaneProcess(["up", file, "--json"], { cwd: folder });
    const log = await openLog(`embedded:${folder}/log`);
    const count = async (topic: string, partition: number) =>
      await log.partitionCount(topic) > partition
        ? (await log.offsets(topic, partition)).latest
        : 0;
    const said = (text: string) => process.said.filter((line) => line.includes(text)).length;
    try {
      await until("frames of camera 1", async () => await count("GREY", 0) > 3);
      await write(camera(1, 20) + camera(2, 20), grey + motion);
      await until("frames of camera 2", async () => await count("VideoStreaming", 1) > 3);
      await until("the second query", async () => await count("MOTION", 1) > 3);
      assert.equal(said("greyscale QUERY-PARTITION-0 reads"), 1, process.output());

      await Deno.writeTextFile(file, "cameras: 7\n");
      await process.until(
        "the fault",
        () => said(`${file}:1: cameras: expected a list, given 7`) === 1,
      );
      const before = await count("GREY", 0);
      await until("the first query continues", async () => await count("GREY", 0) > before);

      await write(camera(1, 20), motion);
      await process.until(
        "the stopped query",
        () => process.summaries.some(({ query }) => query === "greyscale"),
      );
      await process.until("the stopped camera", () => said("CAMERA-2: removed") === 1);
      assert.equal(said("motion QUERY-PARTITION-0 reads"), 1, process.output());
      assert.equal(said("CAMERA-1: changed"), 0, process.output());
      assert.equal(await process.stop(), 0, process.output());
      // The summaries come last, one for each query.
      const last = process.summaries.at(-1)!;
      assert.deepEqual([last.query, process.lines.at(-1)], ["motion", last]);
      assert.ok(last.frames > 0 && last.seconds > 0);
    } finally {
      await process.kill();
      await log.close();
    }
  });
});

Deno.test("a query that ends with what is there finds the topic of a camera that has just started", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "framelane.yaml");
    await Deno.writeTextFile(
      file,
      `log: embedded:${folder}/log\nstate: ${folder}/cameras.kv\nviewer: off\ncameras:\n` +
        `${camera(2, 20)}queries:\n  - { query: greyscale, trigger: available-now }\n`,
    );
    const process = new FramelaneProcess(["up", file], { cwd: folder });
    try {
      const starts = /QUERY-PARTITION-1 reads|does not exist/;
      await process.until("the query", ({ said }) => said.some((line) => starts.test(line)));
      assert.equal(await process.stop(), 0, process.output());
    } finally {
      await process.kill();
    }
  });
});

Deno.test("an edit of the viewer's address says so, and restarts neither the viewer nor others", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "framelane.yaml");
    const head = `log: embedded:${folder}/log\nstate: ${folder}/cameras.kv\n`;
    await Deno.writeTextFile(file, `${head}viewer: { port: 0 }\n`);
    const process = new FramelaneProcess(["up", file], { cwd: folder });
    const said = (text: string) => process.said.filter((line) => line.includes(text)).length;
    try {
      await process.until("the start", () => said("edits take effect") === 1);
      for (const [query, port] of [["greyscale", 1], ["motion", 2]] as const) {
        await Deno.writeTextFile(
          file,
          `${head}viewer: { port: ${port} }\nqueries: [{ query: ${query} }]\n`,
        );
        await process.until("the other part", () => said(`query ${query} starts`) === 1);
      }
      assert.equal(said("or the viewer's address while"), 2, process.output());
      assert.deepEqual([said("Viewer: "), said("viewer restarts")], [1, 0], process.output());
      assert.equal(await process.stop(), 0, process.output());
    } finally {
      await process.kill();
    }
  });
});

Deno.test("an edit that its fixed host makes unsafe changes nothing, and the wall stays", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "framelane.yaml");
    const write = (viewer: string) =>
      Deno.writeTextFile(
        file,
        `log: embedded:${folder}/log\nstate: ${folder}/cameras.kv\nviewer: { port: 0, ${viewer} }\n`,
      );
    await write("host: 0.0.0.0, token: t0ken-word");
    const process = new FramelaneProcess(["up", file], { cwd: folder });
    try {
      await process.until("the start", ({ said }) => said.join().includes("edits take effect"));
      const port = /Viewer: http:\S+:(\d+)/.exec(process.output())![1];
      await write("host: 127.0.0.1");
      await process.until("the fault", ({ said }) => said.join().includes("is not applied"));
      assert.match(
        process.output(),
        /Cannot show the viewer on 0\.0\.0\.0 to everyone: .* omit host/,
      );
      const wall = await fetch(`http://127.0.0.1:${port}/healthz`);
      assert.equal(wall.status, 200, await wall.text());
      assert.equal(await process.stop(), 0, process.output());
    } finally {
      await process.kill();
    }
  });
});

Deno.test("the metrics are those of cameras and queries, each once", async () => {
  await withFolder(async (folder) => {
    const text = `log: embedded:${folder}/log\nstate: ${folder}/cameras.kv\nviewer: { port: 0 }\n` +
      `cameras:\n${camera(1, 20)}queries:\n  - { query: greyscale, startingOffsets: earliest }\n`;
    const plan = await resolvePlan(text, { file: "f.yaml", environment: () => undefined });
    const { signal } = new AbortController();
    const run = await UpRun.start(plan, { signal, print: () => {}, say: () => {} }, false);
    try {
      const labels = 'topic="VideoStreaming",partition="0",camera="CAMERA-1"';
      const published = new RegExp(`^framelane_frames_published_total{${labels}} [1-9]`, "m");
      const read = new RegExp(
        `^framelane_frames_consumed_total{${labels},query="greyscale"} [1-9]`,
        "m",
      );
      let page = "";
      await until("frames published and read", async () => {
        page = await (await fetch(`${run.url}metrics`)).text();
        return published.test(page) && read.test(page);
      });
      const names = page.split("\n").filter((line) => line.startsWith("# TYPE "));
      assert.equal(names.length, new Set(names).size, page);
      // What both have is one metric, with the samples of each.
      const [, last = ""] = page.split(
        "# TYPE framelane_camera_last_frame_timestamp_seconds gauge",
      );
      assert.deepEqual(
        last.trim().split("\n").slice(0, 2).map((line) => line.replace(/ .*/, "")),
        [`{${labels},query="greyscale"}`, `{${labels}}`].map((of) =>
          `framelane_camera_last_frame_timestamp_seconds${of}`
        ),
      );
    } finally {
      await run.stop();
    }
  });
});

Deno.test("a viewer that cannot start as edited continues as it was, and nothing is applied", async () => {
  await withFolder(async (folder) => {
    const text =
      `log: embedded:${folder}/log\nstate: ${folder}/cameras.kv\nviewer: { port: ${freePort()} }\n`;
    const plan = await resolvePlan(text, { file: "f.yaml", environment: () => undefined });
    const said: string[] = [];
    const context = {
      signal: new AbortController().signal,
      print: () => {},
      say: (line: string) => void said.push(line),
    };
    const run = await UpRun.start(plan, context, true);
    try {
      const tokens = [{ token: Symbol("no text") as unknown as string, opens: "all" as const }];
      const cameras = [{ topic: "T", camera: { number: 1, source: "pattern:" } }];
      await assert.rejects(run.apply({ ...plan, cameras, viewer: { ...plan.viewer!, tokens } }));
      assert.equal((await (await fetch(`${run.url}healthz`)).text()).length > 0, true, said.join());
      assert.doesNotMatch(said.join(), /CAMERA-1/);
      // Another program takes the port while the viewer is down: the next edit starts it.
      let other: Deno.Listener | undefined;
      const every = () => {
        other = Deno.listen({ port: Number(new URL(url).port), hostname: "127.0.0.1" });
        throw new Error("as edited");
      };
      const viewer = { ...plan.viewer!, tokens: Object.assign([], { every }), proxyHosts: ["a.b"] };
      const { url } = run;
      await assert.rejects(run.apply({ ...plan, viewer }), /as edited/);
      assert.match(said.at(-1)!, /^The viewer is off, retrying: .*uses this port/);
      await run.keepViewer();
      assert.equal(run.url, "");
      other?.close();
      await until("the viewer is back", async () => {
        await run.keepViewer();
        return run.url === url;
      });
    } finally {
      await run.stop();
    }
  });
});

Deno.test("--check tells faults and ends with 2; the documented file has none; --print hides secrets", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "framelane.yaml");
    const [, example] = /```yaml\n(.*?)```/s.exec(
      await Deno.readTextFile(join(ROOT, "docs/up.md")),
    )!;
    await Deno.writeTextFile(file, example!);
    const good = await framelane(["up", file, "--check"]);
    assert.equal(good.code, 0, good.process.output());
    await Deno.writeTextFile(
      file,
      'cameras: [{ number: 1, source: "rtsp://anna:s3cret-word@cam/1" }]\nviewer: { token: t0ken-word, proxyHosts: [cams.example] }\n',
    );
    const print = await framelane(["up", file, "--print"]);
    assert.equal(print.code, 0);
    assert.match(print.process.output(), /rtsp:\/\/anna:\*\*\*@cam/);
    assert.match(print.process.output(), /proxyHosts:\n +- cams.example/);
    assert.doesNotMatch(print.process.output(), /s3cret-word|t0ken-word/);
    const { process: { lines, said } } = await framelane(["up", file, "--print", "--json"]);
    assert.deepEqual([lines.length, said.join().includes("cameras:")], [1, false]);
    const sinks = [`${folder}/broken.ts:x`];
    await Deno.writeTextFile(`${folder}/broken.ts`, 'throw new Error("No database");');
    const alerts = [`events:${folder}/found.jsonl`];
    const queries = [{ query: "none" }, { query: "greyscale", sinks }, {
      query: "motion",
      sinks: alerts,
    }];
    await Deno.writeTextFile(file, JSON.stringify({ queries, alerts }));
    const bad = await framelane(["up", "--check", file]);
    assert.equal(bad.code, 2);
    assert.match(bad.process.output(), /framelane\.yaml:1: Unknown query "none"/);
    assert.match(bad.process.output(), /framelane\.yaml:1: Cannot load .*broken\.ts: No database/);
    assert.match(
      bad.process.output(),
      /Cannot run query motion .*found.jsonl": they write to the /,
    );
    assert.equal((await framelane(["up", join(folder, "no.yaml")])).code, 2);
    assert.equal((await framelane(["up", folder])).code, 2);
  });
});
