/** On a terminal too, Deno asks for no permission: what the launcher has not given is refused. */
import assert from "node:assert/strict";
import { ROOT } from "../../tools/paths.ts";
import { kill } from "../support/processes.ts";
import { PATIENCE_MS } from "../support/until.ts";
import { launchOf } from "./task.ts";

Deno.test("No prompt asks to widen permissions", async () => {
  /** What a terminal shows, up to a question or the program's end. */
  const ask = async (flags: readonly string[]) => {
    const command = [Deno.execPath(), "run", ...flags, "tests/security/ask_probe.ts"].join(" ");
    const child = new Deno.Command("script", {
      cwd: ROOT,
      args: ["-qec", command, "/dev/null"],
      stdin: "piped",
      stdout: "piped",
      env: { NO_COLOR: "1" },
    }).spawn();
    const timer = setTimeout(() => kill(child), PATIENCE_MS);
    let said = "";
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      said += text;
      if (/Allow\?|^answer: /m.test(said)) break;
    }
    await child.stdin.close();
    kill(child, "SIGTERM");
    await child.status;
    clearTimeout(timer);
    return said;
  };
  const flags = launchOf("models", ["presets"]).flags.map((flag) => `'${flag}'`);
  assert.match(await ask(flags.filter((flag) => flag !== "'--no-prompt'")), /Allow\?/);
  assert.match(await ask(flags), /^answer: (denied|prompt)/);
});
