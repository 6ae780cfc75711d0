/** `start`, on the embedded log, and what it refuses. */
import assert from "node:assert/strict";
import "../../../runtime/driver/driver.ts";
import { display, query, type QueryDefinition, start } from "../../../runtime/mod.ts";
import "../../../runtime/image/mod.ts";
import { openLog } from "../../../runtime/log/open.ts";
import { withFolder } from "../../support/folder.ts";
import { records } from "../../support/frames.ts";
import { withLog } from "../../support/log.ts";
import {
  alignsTwoCameras,
  changesOneQuery,
  readsACameraAddedMeanwhile,
  startsAModule,
  startsAValue,
} from "./start_cases.ts";

const definition = query("mine").readStream().writeStream(display());

Deno.test("a program starts a definition that is a value, and stops it", () =>
  withLog((url, log) => startsAValue(url, log, "VideoStreaming")));

Deno.test("a program starts a module in a worker, to its end", () =>
  withLog((url, log) => startsAModule(url, log, "VideoStreaming")));

Deno.test("one query comes, changes and goes while another continues in the same run", () =>
  withLog((url, log) => changesOneQuery(url, log, "VideoStreaming")));

Deno.test("a program aligns two cameras, again and again", () =>
  withLog((url, log) => alignsTwoCameras(url, log, "VideoStreaming")));

Deno.test("a camera added while its query was down is read from its start", () =>
  withLog((url, log, directory) =>
    readsACameraAddedMeanwhile(url, log, "VideoStreaming", directory)
  ));

Deno.test("a program stops its queries though their log was deleted", () =>
  withFolder(async (dir) => {
    const url = `embedded:${dir}/log`;
    const log = await openLog(url);
    await log.createTopic("VideoStreaming", 1);
    await log.close();
    const streams = await start(definition, { log: url, report: () => {} });
    await Deno.remove(`${dir}/log`, { recursive: true });
    await assert.rejects(streams.awaitAnyTermination(), { code: "DELETED" });
    await streams.stop();
  }));

Deno.test("a query keeps its checkpoint in the folder that it names, and continues there", () =>
  withLog(async (url, log, directory) => {
    await log.createTopic("VideoStreaming", 1);
    const checkpointLocation = `${directory}/checkpoints`;
    const there = query("there").readStream({ startingOffsets: "earliest", checkpointLocation })
      .writeStream(display());
    const producer = await log.producer();
    for (const seen of [2, 4]) {
      await producer.append("VideoStreaming", 0, records(1, 2));
      const streams = await start(there, { log: url, report: () => {} });
      await streams.processAllAvailable();
      await streams.stop();
      const [stream] = streams.all;
      assert.deepEqual([stream!.position, stream!.totals.frames], [seen, 2]);
    }
    await producer.close();
    assert.deepEqual(await log.checkpoints(), []);
    const kept = await openLog(url, { checkpointDir: checkpointLocation });
    assert.equal((await kept.checkpoints())[0]?.committed?.end, 4);
    await kept.close();
  }));

Deno.test("a query that has ended is added again, also after resetTerminated", () =>
  withLog(async (url, log) => {
    await log.createTopic("VideoStreaming", 1);
    const finite = definition.trigger("available-now");
    await using streams = await start(finite, { log: url, report: () => {} });
    for (let i = 0; i < 2; i++) {
      await streams.awaitAnyTermination();
      streams.resetTerminated();
      await streams.add(finite);
    }
  }));

Deno.test("all options that cannot be used are named at once", async () => {
  const wrong = {
    ...{ topic: "", partitions: [0.5], trigger: "soon", sinks: ["nowhere:x"], executors: 2 },
    ...{ log: "kafka://a?tls=maybe" },
    ...{ startingOffsets: "first", maxFramesPerTrigger: 0, colour: "red", checkpointLocation: "x" },
  };
  await assert.rejects(start(definition, wrong as never), (error) => {
    assert.ok(error instanceof RangeError);
    for (
      const name of ["topic", "partitions", "trigger soon", "nowhere", "executors", "tls is maybe"]
    ) {
      assert.match(error.message.replaceAll('"', ""), new RegExp(name));
    }
    assert.match(error.message, /checkpointLocation: unknown; expected topic, .*, checkpoint, /);
    return true;
  });
  const source = { startingOffsets: "first", maxFramesPerTrigger: 0, colour: "red" };
  await assert.rejects(
    start(definition, source as never),
    /colour: unknown.*starting offsets "first".*maxFramesPerTrigger/,
  );
  const absurd = { queryName: "a b", trigger: 5, partitions: [0, 0], report: 1, signal: 2 };
  await assert.rejects(
    start(definition, { ...absurd, sessionTimeoutMs: NaN } as never),
    ({ message }: Error) =>
      [
        /Cannot read trigger "5"/,
        /partitions: expected .* distinct/,
        /report: expected a function/,
        /signal: expected/,
        /sessionTimeoutMs: expected/,
        /Cannot name a query "a b"/,
      ].every((says) => says.test(message)),
  );
  const below = start(definition, { executors: -1 });
  await assert.rejects(below, ({ message }: Error) => message.split("executors:").length === 2);
  await assert.rejects(start(definition, null as never), /expected an object of options/);
  await assert.rejects(start({} as QueryDefinition), /Cannot use a value as a query/);
  for (const log of ["redis://x", 5, {}]) {
    await assert.rejects(start(definition, { log } as never), /embedded:DIR or kafka:/);
  }
  await assert.rejects(start(definition, { sinks: [] }), /sinks: expected URIs .* given \[\]/);
});

Deno.test("a signal ends the wait for a topic", () =>
  withLog(async (url) => {
    const stopping = new AbortController();
    const report = () => stopping.abort(new Error("Enough"));
    await assert.rejects(
      start(definition, { log: url, report, signal: stopping.signal }),
      /Enough/,
    );
  }));

Deno.test("a signal, and stop, end the wait for a module that never loads", () =>
  withLog(async (url, log) => {
    const gate = Promise.withResolvers<void>();
    Object.assign(globalThis, { gate: gate.promise });
    const module = "data:text/javascript,await globalThis.gate";
    const options = { log: url, report: () => {} };
    const stopping = new AbortController();
    const starting = start(module, { ...options, signal: stopping.signal });
    stopping.abort(new Error("enough"));
    await assert.rejects(starting, /enough/);
    await log.createTopic("VideoStreaming", 1);
    const streams = await start(definition, options);
    const added = assert.rejects(streams.add(module), /stop/);
    const replaced = assert.rejects(streams.replace(module), /stop/);
    await streams.stop();
    await Promise.all([added, replaced]);
    gate.resolve();
    await import(module);
  }));

Deno.test("a signal that aborts while the log is opened ends the start; one that lives on keeps no listener", () =>
  withLog(async (url, log) => {
    const options = { log: url, report: () => {} };
    for (let turns = 0; turns < 40; turns++) {
      const stopping = new AbortController();
      const starting = start(definition, { ...options, topic: "Missing", signal: stopping.signal });
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      stopping.abort(new Error("enough"));
      await assert.rejects(starting, /enough/);
    }
    await log.createTopic("VideoStreaming", 1);
    const { signal } = new AbortController();
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...given: Parameters<typeof addEventListener>) => {
      listeners++;
      addEventListener.apply(signal, given);
    };
    signal.removeEventListener = (...given: Parameters<typeof removeEventListener>) => {
      listeners--;
      removeEventListener.apply(signal, given);
    };
    const streams = await start(definition, { ...options, signal });
    assert.equal(listeners, 1);
    await streams.stop();
    assert.equal(listeners, 0);
  }));
