import assert from "node:assert/strict";
import { Output, writeLine } from "../../cli/output.ts";

Deno.test("writeLine writes the whole line, however little fits at once", () => {
  const written: number[] = [];
  const stream = {
    writeSync(bytes: Uint8Array): number {
      const part = bytes.subarray(0, 3);
      written.push(...part);
      return part.length;
    },
  };
  writeLine(stream, "Größe: 640×480");
  assert.equal(new TextDecoder().decode(new Uint8Array(written)), "Größe: 640×480\n");
});

Deno.test("writeLine is silent when the reader has gone", () => {
  const stream = {
    writeSync(): number {
      throw new Deno.errors.BrokenPipe();
    },
  };
  writeLine(stream, "x");
});

Deno.test("writeLine passes other failures on", () => {
  const stream = {
    writeSync(): number {
      throw new Error("No space left on device");
    },
  };
  assert.throws(() => writeLine(stream, "x"), /No space left/);
});

/** A pipe whose reader pauses until `go`. */
function paused() {
  const { promise, resolve } = Promise.withResolvers<void>();
  const written: string[] = [];
  const pipe = (name: string) => ({
    isTerminal: () => false,
    writeSync: () => assert.fail("It would wait for the reader"),
    async write(bytes: Uint8Array): Promise<number> {
      await promise;
      written.push(name + new TextDecoder().decode(bytes));
      return bytes.length;
    },
  });
  return { out: pipe("out "), err: pipe("err "), written, go: resolve };
}

Deno.test("Output waits for no reader, and keeps the order of all lines", async () => {
  const { written, go, ...streams } = paused();
  const output = new Output((error) => assert.fail(String(error)), streams);
  output.print("1");
  output.say("2");
  output.print("3");
  go();
  await output.flush();
  assert.deepEqual(written, ["out 1\n", "err 2\n", "out 3\n"]);
});

Deno.test("Output keeps results for a paused reader, and a bounded amount of progress, errors and messages", async () => {
  const { written, go, ...streams } = paused();
  const output = new Output((error) => assert.fail(String(error)), streams);
  const pad = "x".repeat(100_000);
  for (let i = 0; i < 100; i++) {
    output.print(`{"type":"progress","pad":"${pad}"}`);
    output.print(`{"type":"error","pad":"${pad}"}`);
    output.say(pad);
    output.print(`{"type":"summary","number":${i}}`);
  }
  go();
  await output.flush();
  assert.equal(written.filter((line) => line.includes("summary")).length, 100);
  assert.ok(written.filter((line) => line.length > 1_000).length < 13);
  output.print('{"type":"progress"}');
  await output.flush();
  assert.equal(written.at(-1), 'out {"type":"progress"}\n');
});

Deno.test("Output reports that standard output failed; messages without a reader are no failure", async () => {
  const gone = {
    isTerminal: () => false,
    writeSync: () => 0,
    write: () => Promise.reject(new Deno.errors.BrokenPipe()),
  };
  const failures: unknown[] = [];
  const output = new Output((error) => failures.push(error), { out: gone, err: gone });
  output.say("a message");
  output.print("a result");
  await output.flush();
  assert.equal(failures.length, 1);
  assert.ok(failures[0] instanceof Deno.errors.BrokenPipe);
});
