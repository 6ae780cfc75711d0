/** Every task says what it is with `--help`, and takes no option that it does not know. */
import assert from "node:assert/strict";
import project from "../../deno.json" with { type: "json" };
import { ROOT } from "../../tools/paths.ts";

async function run(task: string, argument: string) {
  const [, ...args] = project.tasks[task as keyof typeof project.tasks].split(" ");
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args, argument],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

for (const task of Object.keys(project.tasks)) {
  Deno.test(`deno task ${task} --help ends with 0, an unknown option with 2`, async () => {
    const help = await run(task, "--help");
    assert.equal(help.code, 0, help.err);
    assert.match(help.out, /^deno task /);
    assert.ok(help.out.split("\n").every((line) => line.length <= 80), help.out);
    const wrong = await run(task, "--no-such-option");
    assert.equal(wrong.code, 2, wrong.err);
    assert.equal(wrong.out, "");
    assert.match(wrong.err, /--no-such-option/);
  });
}
