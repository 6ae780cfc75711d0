import assert from "node:assert/strict";
// Loaded before the test, with its native library.
import "../../../queries/passthrough.ts";
import { ExecutorHost } from "../../../runtime/executor/host.ts";
import { type FromExecutor, newCells } from "../../../runtime/executor/protocol.ts";
import { withLog } from "../../support/log.ts";

const QUERY = {
  name: "passthrough",
  topic: "VideoStreaming",
  module: new URL("../../../queries/passthrough.ts", import.meta.url).href,
  group: "group",
  sinks: [],
};

Deno.test("executor: a lane that is stopped before its executor is ready never takes anything over", async () => {
  await withLog(async (url, log) => {
    await log.createTopic("VideoStreaming", 2);
    const messages: FromExecutor[] = [];
    const host = new ExecutorHost({
      send: (message) => void messages.push(message),
      sendPicture: () => {},
    });
    const opening = [
      host.handle({ type: "open", config: { log: url, progressIntervalMs: 1000 } }),
      host.handle({ type: "load", plan: 7, spec: QUERY }),
    ];
    const starts = [0, 1].map((partition) =>
      host.handle({
        type: "start",
        lane: partition + 1,
        plan: 7,
        partition,
        runId: `run-${partition}`,
        cells: newCells(),
      })
    );
    await host.handle({ type: "stop", lane: 1, mode: "drain" });
    await Promise.all([...opening, ...starts]);
    await host.handle({ type: "close" });
    const lanes = (type: string) =>
      messages.flatMap((message) =>
        message.type === type && "lane" in message ? [message.lane] : []
      );
    assert.deepEqual(lanes("started").includes(1), false);
    assert.deepEqual(lanes("stopped").sort(), [1, 2]);
    const known = await log.checkpoints();
    assert.deepEqual(known.filter(({ partition }) => partition === 0), []);
  });
});

Deno.test("executor: a module without a query is named, whatever it exports or throws", async () => {
  const sources = ["export default 7", "export default null", "export const query = {}"];
  for (const source of [...sources, "throw null"]) {
    const messages: FromExecutor[] = [];
    const host = new ExecutorHost({
      send: (message) => void messages.push(message),
      sendPicture: () => {},
    });
    const module = `data:text/javascript,${encodeURIComponent(source)}`;
    await host.handle({ type: "load", plan: 1, spec: { ...QUERY, module } });
    const [message] = messages;
    assert.ok(message?.type === "unloadable");
    assert.match(
      message.error.message,
      source === "throw null"
        ? /^Cannot load data:.*: null was thrown/
        : /^Cannot use data:.* as a query: expected a query definition/,
    );
  }
});
