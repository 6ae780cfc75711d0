import assert from "node:assert/strict";
// Loaded before the tests: its native library stays with the thread and is no test's leak.
import { parseCommand, type UsageError } from "../../cli/command.ts";
import { help } from "../../cli/help.ts";
import { commands } from "../../cli/registry.ts";
import project from "../../deno.json" with { type: "json" };
import "../../runtime/image/mod.ts";
import { importsOf } from "../../tools/imports.ts";
import { repositoryFiles } from "../../tools/words.ts";

const tasks: Readonly<Record<string, string>> = project.tasks;

Deno.test("Each command loads under its name, has a task, and a help for each option", async () => {
  for (const [name, { summary, load }] of Object.entries(commands)) {
    const command = await load();
    assert.equal(command.name, name);
    assert.match(summary, /^[A-Z].*\.$/, name);
    assert.match(tasks[name] ?? "", new RegExp(` launch\\.ts ${name}$`));
    for (const [option, { help, value, switch: isSwitch }] of Object.entries(command.options)) {
      assert.match(option, /^[a-z]+(-[a-z]+)*$/);
      assert.ok(help.length > 3, `${name} --${option}`);
      assert.notEqual(value === undefined, isSwitch !== true, `${name} --${option}`);
    }
  }
});

Deno.test("Each action of a command refuses options of the others, and takes its own", async () => {
  let refused = 0;
  for (const [name, { load }] of Object.entries(commands)) {
    const command = await load();
    const actions = (command.positionals ?? "").split(" | ").map((form) => form.split(" ")[0]!);
    for (const [option, { actions: takers, switch: isSwitch }] of Object.entries(command.options)) {
      for (const taker of takers ?? []) assert.ok(actions.includes(taker), `${name} ${taker}`);
      for (const action of takers === undefined ? [] : actions) {
        const argv = [action, `--${option}`, ...(isSwitch ? [] : ["1"])];
        const faults = await parseCommand(command, argv, () => undefined).then(
          (): readonly string[] => [],
          (error: UsageError) => error.faults,
        );
        const refusal = `Cannot use --${option} with ${name} ${action}: only with ${
          takers!.join(", ")
        }`;
        assert.equal(faults.includes(refusal), !takers!.includes(action), argv.join(" "));
        if (!takers!.includes(action)) refused++;
      }
    }
  }
  assert.ok(refused > 50);
  const cameras = await commands["cameras"]!.load();
  // The environment is shared with other commands.
  const { options } = await parseCommand(
    cameras,
    ["list"],
    (name) => name === "FRAMELANE_FPS" ? "5" : undefined,
  );
  assert.equal(options["fps"], 5);
});

Deno.test("FRAMELANE_CHECK concerns the checks of types: it does not make up only check its file", async () => {
  const up = await commands["up"]!.load();
  const checkOf = async (text: string, ...argv: string[]) => {
    const { options } = await parseCommand(
      up,
      argv,
      (name) => name === "FRAMELANE_CHECK" ? text : undefined,
    );
    return options["check"] ?? false;
  };
  assert.deepEqual(await Promise.all([checkOf("true"), checkOf("false")]), [false, false]);
  assert.equal(await checkOf("false", "--check"), true);
  await assert.rejects(checkOf("maybe"), /FRAMELANE_CHECK "maybe"/);
});

Deno.test("Help fits terminals of any width, but for words that are wider", async () => {
  for (const { load } of Object.values(commands)) {
    const command = await load();
    for (const columns of [40, 60, 80, 200]) {
      for (const line of help(command, columns).split("\n")) {
        assert.ok(line.length <= columns || !/\S \S/.test(line), `${columns}: ${line}`);
      }
    }
  }
});

Deno.test("Each task of the command line has a command", () => {
  const named = Object.keys(tasks).filter((name) => / launch\.ts \S+$/.test(tasks[name]!));
  assert.deepEqual(named.sort(), Object.keys(commands).sort());
});

Deno.test("A command loads what it needs and no more", async () => {
  const sources = (await repositoryFiles()).filter((file) =>
    /^(cli|cameras|runtime|queries|viewer)\/.*\.ts$/.test(file)
  );
  const imports = await importsOf(sources);
  const closure = (start: string) => {
    const seen = new Set<string>();
    const queue = [start];
    for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
      if (seen.has(file)) continue;
      seen.add(file);
      queue.push(
        ...imports.filter(({ from, later }) => from === file && !later).map(({ to }) => to),
      );
    }
    return [...seen];
  };
  const loads = (command: string, what: RegExp) =>
    closure(`cli/commands/${command}.ts`).filter((file) => what.test(file));
  assert.deepEqual(
    loads(
      "camera",
      /^(viewer|queries|runtime\/(driver|executor|engine))\/|onnxruntime|platformatic/,
    ),
    [],
  );
  assert.deepEqual(loads("queries", /^cameras\/|node-av|onnxruntime|platformatic/), []);
  assert.deepEqual(loads("viewer", /^(cameras|queries)\/|node-av|onnxruntime|platformatic/), []);
  assert.deepEqual(loads("kafka", /^(cameras|runtime\/(?!base\/)|queries|viewer)\/|npm:/), []);
});
