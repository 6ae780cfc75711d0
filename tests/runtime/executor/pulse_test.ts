import assert from "node:assert/strict";

Deno.test("executor: whose turn it is is known on every road to the thread", async () => {
  const worker = new Worker(import.meta.resolve("./turns_worker.ts"), { type: "module" });
  try {
    const seen = await new Promise<Record<string, number>>((resolve, reject) => {
      worker.addEventListener("message", ({ data }) => resolve(data));
      worker.addEventListener("error", ({ message }) => reject(new Error(message)));
    });
    assert.ok(Object.keys(seen).length >= 10);
    const wrong = Object.entries(seen).filter(([, difference]) => difference !== 0);
    assert.deepEqual(wrong, []);
  } finally {
    worker.terminate();
  }
});

Deno.test("executor: modules that fail leave standard output alone", async () => {
  // In a process of its own: V8 does not write through the console.
  const program = `${import.meta.dirname}/failing_modules.ts`;
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", program],
    stderr: "inherit",
  }).output();
  assert.equal(new TextDecoder().decode(stdout), "");
  assert.equal(code, 0);
});
