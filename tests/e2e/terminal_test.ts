/**
 * Long work on a terminal and through a pipe. `script` (of bsdutils, part of every Debian) is the
 * terminal.
 */
import assert from "node:assert/strict";
import { denoArguments, ROOT } from "../support/framelane.ts";

const CLIP = `${ROOT}clips/bigbuckbunny.mp4`;

/** Runs a command of Framelane on a terminal of 120 columns, or with pipes. */
async function run(terminal: boolean, args: readonly string[]): Promise<string> {
  const command = [Deno.execPath(), ...denoArguments(args)];
  const quoted = command.map((word) => `'${word}'`).join(" ");
  const [program, ...rest] = terminal
    ? ["script", "-qefc", `stty cols 120; exec ${quoted}`, "/dev/null"]
    : command;
  const { code, stdout, stderr } = await new Deno.Command(program!, {
    args: rest,
    stdin: "null",
    cwd: ROOT,
  }).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert.equal(code, 0, text);
  return text;
}

Deno.test("a camera of a file and the writing of its video show a bar on a terminal, none in a pipe", async () => {
  const directory = await Deno.makeTempDir({ prefix: "framelane-test-" });
  try {
    const log = ["--log", `embedded:${directory}/log`];
    const camera = ["camera", "1", "--source", CLIP, "--fps", "max", "--size", "160x90", ...log];
    const queries = (name: string) => [
      "queries",
      "greyscale",
      "--group",
      name,
      "--starting-offsets",
      "earliest",
      "--trigger",
      "available-now",
      "--max-frames-per-trigger",
      "20",
      "--sink",
      `video:${directory}/${name}`,
      ...log,
    ];
    for (const terminal of [true, false]) {
      const published = await run(terminal, [...camera, "--no-loop"]);
      assert.match(published, /CAMERA-1: 132 frames published/);
      assert.equal(/\rCAMERA-1 [█·]+.* % \d+ frames/.test(published), terminal, published);
      const processed = await run(terminal, queries(terminal ? "seen" : "piped"));
      assert.match(processed, /greyscale: (132|264) frames in/);
      assert.equal(
        /\rQueries █+·* +100 % 132 of 132 frames/.test(processed),
        terminal,
        processed,
      );
      assert.equal(processed.includes("\x1b["), terminal, processed);
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
