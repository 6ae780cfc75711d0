import assert from "node:assert/strict";
import type { ExecutorPermissions } from "../../../runtime/driver/permissions.ts";
import type { QuerySpec } from "../../../runtime/executor/protocol.ts";
import { LOADED, pool, SPEC } from "./fake_pool.ts";

Deno.test("a query that comes later is loaded by each executor, by those that start after it too", async () => {
  const { made, executors } = pool(2);
  assert.deepEqual(await made.executors.load(SPEC), LOADED);
  assert.equal(executors.length, 1);
  const other = { ...SPEC, name: "other" };
  await made.executors.load(other);
  made.executors.prepare(new Map([[SPEC, 1], [other, 1]]));
  assert.deepEqual(executors.map(({ loaded }) => loaded), [["1 q", "2 other"], ["1 q", "2 other"]]);
  made.executors.unload(SPEC);
  await made.executors.load({ ...SPEC, name: "third" });
  assert.deepEqual(executors.map(({ loaded }) => loaded.at(-1)), ["3 third", "3 third"]);
  await made.close();
});

const ALWAYS = { read: ["/code"], write: ["/log"], net: [], env: [], ffi: [] };
const PERMISSIONS: ExecutorPermissions = {
  always: { ...ALWAYS, run: false, sys: false, import: false },
  ifNeeded: { write: [{ path: "/out", forms: ["/out"] }], net: [], onnx: [], env: [] },
};
const spec = (name: string, ...sinks: string[]): QuerySpec => ({ ...SPEC, name, sinks });

Deno.test("executors of a query whose needs are known start at once, with these; a wrong guess is put right", async () => {
  const { made, executors } = pool(4, PERMISSIONS);
  const known = {
    ...spec("known", "/out/a"),
    needs: { write: ["/out/a"], net: [], libraries: [] },
  };
  const guessed = { ...known, name: "guessed", sinks: ["/out/b"] };
  const loading = made.executors.load(known);
  made.executors.prepare(new Map([[known, 2]]));
  const started = () => executors.map(({ permissions, loaded }) => [permissions?.write, loaded]);
  assert.deepEqual(started(), Array(2).fill([["/log", "/out/a"], ["1 known"]]));
  await loading;
  made.executors.unload(known);
  assert.deepEqual(executors.map(({ closed }) => closed), [true, true]);
  await made.executors.load(guessed);
  await executors[3]!.closing.promise;
  assert.deepEqual(started().slice(2), [
    [["/log", "/out/a"], ["2 guessed"]],
    [["/log"], ["2 guessed"]],
    [["/log", "/out/b"], ["2 guessed"]],
  ]);
  assert.deepEqual(executors.map(({ closed }) => closed), [true, true, true, true, false]);
  await made.close();
});

Deno.test("a query is loaded though a lane of another one ends the executor meanwhile", async () => {
  for (const permissions of [undefined, PERMISSIONS]) {
    const { made, executors } = pool(1, permissions);
    await made.executors.load(spec("plain"));
    executors[0]!.dies = true;
    assert.deepEqual(await made.executors.load(spec("later")), LOADED);
    assert.equal(executors.length, 2);
    // One that ends each executor itself is not tried for ever.
    await assert.rejects(made.executors.load(spec("deadly")), /was ended from within/);
    assert.deepEqual(executors.map(({ closed }) => closed), [true, true, true, true]);
    await made.close();
  }
});

Deno.test("an executor is started with what its queries need, and runs no others", async () => {
  const { made, executors, start } = pool(4, PERMISSIONS);
  const [plain, a, b, all] = [
    spec("plain"),
    spec("a", "/out/a"),
    spec("b", "/out/b"),
    spec("all", "/out"),
  ];
  const started = () => executors.map(({ permissions, loaded }) => [permissions?.write, loaded]);
  await made.executors.load(a);
  await executors[0]!.closing.promise;
  assert.deepEqual(started(), [[["/log"], ["1 a"]], [["/log", "/out/a"], ["1 a"]]]);
  await made.executors.load(plain);
  await made.executors.load(b);
  assert.equal(executors[2]!.closed, false, "it runs what needs nothing more");
  await made.executors.load(all);
  await assert.rejects(made.executors.load(spec("greedy", "greedy")), { name: "NotCapable" });
  assert.deepEqual(started().slice(2), [
    [["/log"], ["2 plain", "3 b", "4 all", "5 greedy"]],
    [["/log", "/out/b"], ["3 b"]],
    [["/log", "/out"], ["4 all"]],
  ]);
  made.executors.prepare(new Map([[plain, 1], [a, 2], [b, 1], [all, 1]]));
  assert.deepEqual(executors[5]!.permissions?.write, ["/log", "/out/a"]);
  for (const [lane, one] of [plain, a, b, all].entries()) start(lane + 1, {}, one);
  assert.deepEqual(executors.map(({ lanes }) => [...lanes.keys()]), [[], [2], [1], [3], [4], []]);
  made.ended(2);
  made.executors.unload(a);
  assert.deepEqual(executors.map(({ closed }) => closed), [true, true, false, false, false, true]);
  await made.close();
});
