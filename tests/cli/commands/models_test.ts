import assert from "node:assert/strict";
import { join } from "node:path";
import { models } from "../../../cli/commands/models.ts";
import { orderModel } from "../../queries/operators/model/order_kit.ts";

async function call(...args: string[]) {
  const printed: string[] = [], said: string[] = [];
  const options: Record<string, unknown> = {};
  const positionals: string[] = [];
  for (const arg of args) {
    const [, name, value] = /^--(\w+)(?:=(.*))?$/.exec(arg) ?? [];
    if (name === undefined) positionals.push(arg);
    else options[name] = value ?? true;
  }
  const faults = models.check!({ positionals, options });
  if (faults.length > 0) return { code: 2, printed, said: faults };
  const code = await models.run({ positionals, options }, {
    signal: new AbortController().signal,
    print: (line) => void printed.push(line),
    say: (line) => void said.push(line),
  });
  return { code, printed, said };
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
    const checked = await call("check", join(folder, "model.json"));
    assert.equal(checked.code, 0);
    assert.match(
      checked.printed[0]!,
      /model.json fits .*seen.onnx: seen, windows of 8 frames every 4/,
    );
    assert.deepEqual(checked.said, [], "it names the hash of its file");
    const path = join(folder, "model.json");
    const { sha256, ...rest } = JSON.parse(await Deno.readTextFile(path));
    await Deno.writeTextFile(path, JSON.stringify(rest));
    const { code, said: [remark] } = await call("check", path);
    assert.equal(code, 0);
    assert.match(remark!, new RegExp(`names no hash.*add "sha256": "${sha256}"$`));
    assert.deepEqual(JSON.parse((await call("check", path, "--json")).printed[0]!).remarks, [
      remark,
    ]);
    const again = await call("inspect", file);
    assert.match(again.said[0]!, /^Did not write .* it already exists/);
    const forced = await call("inspect", file, "--force", "--json");
    assert.match(forced.said[0]!, /^Wrote /);
    assert.equal(JSON.parse(forced.printed[0]!).manifest.input.layout, "NCTHW");
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
    assert.equal((await call("check", out)).code, 0);
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
    const bad = await call("check", path, "--json");
    assert.equal(bad.code, 1);
    assert.equal(JSON.parse(bad.printed[0]!).ok, false);
    assert.ok(JSON.parse(bad.printed[0]!).faults.length >= 3);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("models presets lists them", async () => {
  const { code, printed } = await call("presets");
  assert.equal(code, 0);
  assert.ok(printed.some((line) => /^models\/presets\/x3d_xs.json +https:/.test(line)));
});

Deno.test("models names wrong use", async () => {
  assert.match((await call()).said[0]!, /expected inspect, check, presets or devices/);
  assert.match((await call("inspekt", "x")).said[0]!, /did you mean inspect/);
  assert.match((await call("inspect")).said[0]!, /expected an .onnx file/);
  await assert.rejects(call("inspect", "no.onnx"), /Cannot read no\.onnx as an ONNX model/);
});
