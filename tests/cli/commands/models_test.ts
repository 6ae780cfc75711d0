import assert from "node:assert/strict";
import { parseCommand, UsageError } from "../../../cli/command.ts";
import { commands } from "../../../cli/registry.ts";
import { join, ROOT } from "../../../tools/paths.ts";
import { orderModel } from "../../queries/operators/model/order_kit.ts";

const models = await commands["models"]!.load();

async function call(...args: string[]) {
  const printed: string[] = [], said: string[] = [];
  try {
    const code = await models.run(await parseCommand(models, args, () => undefined), {
      signal: new AbortController().signal,
      print: (line) => void printed.push(line),
      say: (line) => void said.push(line),
    });
    return { code, printed, said };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { code: 2, printed, said: error.faults };
  }
}

/** The command as people run it, with the launcher. */
async function launched(...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command("deno", {
    args: ["run", "-q", "-A", join(ROOT, "launch.ts"), "models", ...args],
    cwd: ROOT,
  }).output();
  const lines = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim().split("\n");
  return { code, printed: lines(stdout), said: lines(stderr).filter((line) => line !== "") };
}

Deno.test("models inspect prints a model, and writes a manifest that check takes", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const file = join(folder, "seen.onnx");
    await Deno.copyFile(orderModel("ncthw").replace(/json$/, "onnx"), file);
    const first = await call("inspect", file);
    assert.equal(first.code, 0);
    assert.ok(first.printed.includes("  frames  float32  [1, 3, 8, 1, 16]"), first.printed.join());
    assert.ok(first.printed.includes("  seen  float32  [1, 8]"));
    assert.match(first.said[0]!, /^Wrote .*model.json: a draft manifest/);
    const checked = await launched("check", join(folder, "model.json"));
    assert.equal(checked.code, 0);
    assert.match(
      checked.printed[0]!,
      /model.json fits .*seen.onnx: seen, windows of 8 frames every 4/,
    );
    assert.deepEqual(checked.said, [], "it names the hash of its file");
    const path = join(folder, "model.json");
    const { sha256, ...rest } = JSON.parse(await Deno.readTextFile(path));
    await Deno.writeTextFile(path, JSON.stringify(rest));
    const { code, said: [remark] } = await launched("check", path);
    assert.equal(code, 0);
    assert.match(remark!, new RegExp(`names no hash.*add "sha256": "${sha256}"$`));
    assert.deepEqual(JSON.parse((await launched("check", path, "--json")).printed[0]!).remarks, [
      remark,
    ]);
    const again = await call("inspect", file);
    assert.match(again.said[0]!, /^Did not write .* it already exists/);
    // A file that is written in place changes under its other name too.
    await Deno.link(path, join(folder, "old.json"));
    for (const forced of [call, launched]) {
      await Deno.writeTextFile(join(folder, "old.json"), "old");
      const { printed } = await forced("inspect", file, "--force", "--json");
      assert.equal(JSON.parse(printed[0]!).manifest.input.layout, "NCTHW");
      assert.equal(await Deno.readTextFile(join(folder, "old.json")), "old");
      assert.equal(JSON.parse(await Deno.readTextFile(path)).sha256, sha256);
      await Deno.remove(path);
      await Deno.link(join(folder, "old.json"), path);
    }
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
    assert.deepEqual(names, ["model.json", "old.json", "seen.onnx"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("models inspect writes a manifest above the model, and nowhere else", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const file = join(folder, "weights", "state.onnx");
    await Deno.mkdir(join(folder, "weights"));
    await Deno.copyFile(orderModel("state").replace(/json$/, "onnx"), file);
    const out = join(folder, "mine.json");
    assert.equal((await call("inspect", file, `--out=${out}`)).code, 0);
    assert.equal((await launched("check", out)).code, 0);
    const elsewhere = await call("inspect", file, `--out=${join(folder, "other", "mine.json")}`);
    assert.equal(elsewhere.code, 2);
    assert.match(
      elsewhere.said[0]!,
      /^Cannot write .*mine.json: expected a path in a folder above/,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("models check tells all faults of a manifest", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, "mine.json");
    await Deno.writeTextFile(path, '{"name": 1}');
    const bad = await launched("check", path, "--json");
    assert.equal(bad.code, 1);
    assert.equal(JSON.parse(bad.printed[0]!).ok, false);
    assert.ok(JSON.parse(bad.printed[0]!).faults.length >= 3);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("models inspect that refuses a model leaves no manifest behind", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const file = join(folder, "cut.onnx");
    const whole = await Deno.readFile(orderModel("state").replace(/json$/, "onnx"));
    await Deno.writeFile(file, whole.subarray(0, 100));
    const { code, said } = await launched("inspect", file);
    assert.equal(code, 1, said.join());
    assert.match(said.join(), /Cannot read .*cut.onnx as an ONNX model/);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["cut.onnx"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("models presets lists them", async () => {
  const { code, printed } = await call("presets");
  assert.equal(code, 0);
  assert.ok(printed.some((line) => /^models\/presets\/x3d_xs.json +https:/.test(line)));
});

Deno.test("models presets and devices print an object per line with --json", async () => {
  for (const [action, type] of [["presets", "preset"], ["devices", "device"]] as const) {
    const { printed } = await call(action, "--json");
    assert.ok(printed.length > 1 && printed.every((line) => JSON.parse(line).type === type));
  }
});

Deno.test("models names wrong use", async () => {
  assert.match((await call()).said[0]!, /expected inspect, check, presets or devices/);
  assert.match((await call("inspekt", "x")).said[0]!, /did you mean inspect/);
  assert.match(
    (await call("inspect")).said[0]!,
    /Missing X.onnx: expected deno task models inspect/,
  );
  await assert.rejects(
    call("inspect", "no.onnx"),
    /Cannot read no\.onnx as an ONNX model: there is no such file/,
  );
});
