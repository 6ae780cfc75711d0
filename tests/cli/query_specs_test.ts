import assert from "node:assert/strict";
import { parseCommand, UsageError } from "../../cli/command.ts";
import { querySpecOptions, querySpecs } from "../../cli/query_specs.ts";
import { withFolder } from "../support/folder.ts";
// Opens its library here, and not in the first test that makes a query.
import "../../runtime/image/turbojpeg.ts";

const command = {
  name: "queries",
  summary: "",
  positionals: "[NAME…]",
  options: querySpecOptions,
  run: () => Promise.resolve(0),
};

async function specs(...argv: string[]) {
  const { positionals, options } = await parseCommand(command, argv, () => undefined);
  return await querySpecs(positionals, options, {
    log: "embedded:none",
    topic: "T",
    partitions: "all",
  });
}

Deno.test("what no flag says is left to the query itself", async () => {
  const [spec] = await specs();
  assert.equal(spec!.name, "greyscale");
  assert.equal(spec!.group, "framelane-greyscale");
  assert.deepEqual(spec!.source, {});
  assert.equal("trigger" in spec!, false);
  assert.deepEqual(spec!.sinks, []);
});

Deno.test("on Kafka the folder of checkpoints counts for a query with another name, too", () =>
  withFolder(async (folder) => {
    const argv = ["motion", "--checkpoint", folder];
    const { positionals, options } = await parseCommand(command, argv, () => undefined);
    const place = { log: "kafka://h", topic: "T", partitions: "all", name: "door" } as const;
    const [spec] = await querySpecs(positionals, options, place);
    assert.equal(spec!.name, "door");
    assert.match(spec!.group, /^framelane-door-[0-9a-f]{8}$/);
  }));

Deno.test("flags of the source go to each query", async () => {
  const flags = ["--no-fail-on-data-loss", "--starting-offsets", "-10 frames"];
  for (const { source } of await specs("motion", "tamper", ...flags)) {
    assert.deepEqual(source, { failOnDataLoss: false, startingOffsets: "-10 frames" });
  }
  const [strict] = await specs("--fail-on-data-loss");
  assert.deepEqual(strict!.source, { failOnDataLoss: true });
});

Deno.test("what executors need is known of queries that come with Framelane, and of those that were made here", async () => {
  const needs = async (...argv: string[]) => (await specs(...argv)).map(({ needs }) => needs);
  const onnx = ["onnxruntime-node"];
  assert.deepEqual(await needs("greyscale", "detect"), [
    { write: [], net: [], libraries: [] },
    { write: [".framelane"], net: [], libraries: onnx },
  ]);
  assert.deepEqual(await needs("objects", "--set", "enter=0.5", "--sink", "images:out/{query}"), [
    { write: ["out/objects"], net: [], libraries: onnx },
  ]);
  assert.deepEqual(await needs("greyscale", "--sink", "./launch.ts:TABLE"), [undefined]);
  assert.deepEqual(await needs("action"), [undefined], "it cannot be made without a model");
});

Deno.test("a sink's module must be there", async () => {
  await assert.rejects(
    specs("greyscale", "--sink", "./no such.ts:TABLE?password=canary"),
    /^UsageError: Cannot use --sink ".\/no such.ts:TABLE\?…": there is no file ".\/no such.ts"$/,
  );
});

Deno.test("faults of names and groups are reported together", async () => {
  await assert.rejects(
    specs("motoin", "tamper", "motion", "tamper", "--group", "one"),
    (error) =>
      error instanceof UsageError && error.faults.length === 3 &&
      /did you mean motion\?/.test(error.faults[0]!) &&
      /tamper was given more than once/.test(error.faults[1]!) &&
      /one-\{query\}/.test(error.faults[2]!),
  );
});

Deno.test("--set gives a query the parameters that it declares, and refuses others", async () => {
  const [spec] = await specs("objects", "--set", "label=car", "--set", "enter=0.5");
  assert.deepEqual(spec!.options, { label: "car", enter: "0.5" });
  const refused = async (...argv: string[]) => {
    try {
      await specs(...argv);
    } catch (error) {
      if (error instanceof UsageError) return error.faults.join("\n");
      throw error;
    }
  };
  assert.match(
    await refused("objects", "--set", "lable=car") ?? "",
    /does not accept --set lable=…: expected --model, --device, --set label=…, --set enter=…/,
  );
  assert.match(await refused("objects", "--set", "enter=much") ?? "", /"much": expected a number/);
  assert.match(await refused("motion", "--set", "enter=1") ?? "", /it has no options/);
  assert.match(await refused("objects", "--set", "enter") ?? "", /expected NAME=VALUE/);
});

Deno.test("a fault names its value once, what is empty is no value, and all are reported together", async () => {
  const faultsOf = async (...argv: string[]) => {
    try {
      await specs(...argv);
      return [];
    } catch (error) {
      assert.ok(error instanceof UsageError, String(error));
      return error.faults;
    }
  };
  const offsets = '{"0":1}';
  assert.deepEqual(
    (await faultsOf(
      ...["--trigger", "interval:0ms", "--starting-offsets", offsets],
      ...["--sink", "images:", "--group", "", "--model", " "],
    )).map((fault) => fault.slice(0, 60)),
    [
      "No value for --group: expected G",
      "No value for --model: expected MANIFEST",
      'Cannot use --trigger "interval:0ms": expected asap, interval',
      `Cannot use --starting-offsets ${JSON.stringify(offsets)}: expected earliest, latest`
        .slice(0, 60),
      'Cannot use --sink "images:": expected images:DIR',
    ],
  );
  const [elsewhere] = await faultsOf("--starting-offsets", '{"Other":{"0":1}}');
  assert.match(elsewhere!, /expected offsets of T, the source topic$/);
  assert.deepEqual(await faultsOf("--starting-offsets", '{"T":{"0":1}}'), []);
  const several = await faultsOf(
    ...["objects", "--sink", "topic:T", "--set", "enter=much", "--set", "lable=car"],
  );
  assert.match(several[0]!, /^Cannot use --sink topic:T: it is the source topic$/);
  assert.match(several[1]!, /parameter enter is "much"/);
  assert.match(several[2]!, /does not accept --set lable/);
});
