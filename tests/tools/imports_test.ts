import assert from "node:assert/strict";
import { circles, type Import, importsOf, violations } from "../../tools/imports.ts";
import { dirname, join } from "../../tools/paths.ts";

function one(from: string, to: string): Import {
  return { from, to, line: 1 };
}

Deno.test("Each direction that the architecture forbids is a violation", () => {
  const forbidden: [string, string][] = [
    ["cli/dispatch.ts", "main.ts"],
    ["tests/cli/main_test.ts", "main.ts"],
    ["runtime/definition/frame.ts", "runtime/base/wait.ts"],
    ["runtime/log/log.ts", "runtime/log/embedded/log.ts"],
    ["runtime/log/log.ts", "npm:hono"],
    ["runtime/engine/execution.ts", "runtime/log/kafka/log.ts"],
    ["runtime/engine/execution.ts", "runtime/sinks/images.ts"],
    ["runtime/engine/execution.ts", "runtime/windows/window_operator.ts"],
    ["runtime/definition/query.ts", "queries/greyscale.ts"],
    ["runtime/base/mask.ts", "cli/command.ts"],
    ["cameras/pattern.ts", "queries/greyscale.ts"],
    ["cameras/pattern.ts", "viewer/mod.ts"],
    ["queries/greyscale.ts", "cameras/pattern.ts"],
    ["queries/greyscale.ts", "runtime/definition/frame.ts"],
    ["queries/operators/grey.ts", "runtime/image/jpeg.ts"],
    ["viewer/app.ts", "cameras/registry.ts"],
    ["cli/commands/camera.ts", "tools/test.ts"],
    ["cli/commands/camera.ts", "tests/support/fake.ts"],
    ["tools/ok.ts", "bench/pipeline.ts"],
    ["runtime/log/embedded/log.ts", "npm:@platformatic/wasm-utils"],
    ["runtime/log/kafka/log.ts", "npm:@platformatic/kafka"],
    ["tools/kafka/probe.ts", "npm:@platformatic/kafka"],
    ["runtime/log/kafka/log.ts", "npm:kafkajs"],
    ["viewer/app.ts", "npm:fast-check"],
  ];
  for (const [from, to] of forbidden) {
    assert.notEqual(violations([one(from, to)]).length, 0, `${from} imports ${to}`);
  }
});

Deno.test("What the architecture wants is none", () => {
  const wanted: [string, string][] = [
    ["main.ts", "cli/dispatch.ts"],
    ["main.ts", "deno.json"],
    ["cli/commands/kafka.ts", "tools/kafka/start.ts"],
    ["cli/commands/camera.ts", "cameras/publisher.ts"],
    ["runtime/log/log.ts", "runtime/definition/frame.ts"],
    ["runtime/engine/execution.ts", "runtime/log/log.ts"],
    ["runtime/engine/execution.ts", "runtime/definition/sink.ts"],
    ["runtime/log/kafka/records/codecs.ts", "npm:@platformatic/wasm-utils"],
    ["tests/support/kafka.ts", "npm:@platformatic/kafka"],
    ["queries/action.ts", "runtime/mod.ts"],
    ["queries/action.ts", "queries/operators/model.ts"],
    ["tests/queries/action_test.ts", "queries/action.ts"],
    ["tests/viewer/page_browser_test.ts", "npm:playwright-core"],
    ["bench/peers.ts", "npm:kafkajs"],
  ];
  assert.deepEqual(violations(wanted.map(([from, to]) => one(from, to))), []);
});

Deno.test("Imports of every kind are found, those in comments and texts are not", async () => {
  const root = await Deno.makeTempDir();
  try {
    const files: Record<string, string> = {
      "cameras/a.ts": [
        '// import "../queries/comment.ts";',
        'const text = "import \\"../queries/text.ts\\"";',
        'import type { T } from "../queries/t.ts";',
        'export * from "./b.ts";',
        'export const lazy = () => import("../viewer/lazy.ts");',
        "export const x: T = text;",
      ].join("\n"),
      "cameras/b.ts": 'import { Hono } from "hono"; export const hono = Hono;',
      "queries/t.ts": "export type T = string;",
      "viewer/lazy.ts": "export {};",
    };
    for (const [file, text] of Object.entries(files)) {
      await Deno.mkdir(join(root, dirname(file)), { recursive: true });
      await Deno.writeTextFile(join(root, file), text);
    }
    const imports = await importsOf(Object.keys(files), root);
    assert.deepEqual(imports.map(({ from, to, line }) => `${from}:${line} ${to}`).sort(), [
      "cameras/a.ts:3 queries/t.ts",
      "cameras/a.ts:4 cameras/b.ts",
      "cameras/a.ts:5 viewer/lazy.ts",
      "cameras/b.ts:1 npm:hono",
    ]);
    assert.deepEqual(violations(imports).map(({ line, rule }) => `${line} ${rule}`), [
      "3 Cameras import the runtime",
      "5 Cameras import the runtime",
    ]);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("A circle of imports is found, a diamond is none", () => {
  const diamond = [one("a", "b"), one("a", "c"), one("b", "d"), one("c", "d")];
  assert.deepEqual(circles(diamond), []);
  assert.deepEqual(circles([...diamond, one("d", "b")]), [["b", "d", "b"]]);
});
