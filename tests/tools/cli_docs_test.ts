import assert from "node:assert/strict";
import { type Command, parsers } from "../../cli/command.ts";
import { commandReference, formatted } from "../../tools/cli_docs.ts";

const command: Command = {
  name: "camera",
  summary: "Publishes one camera.",
  positionals: "N",
  options: {
    "starting-offsets": { value: "earliest|latest", help: "Where to start", default: "latest" },
    sink: { value: "URI", help: "Where to", multiple: true },
    loop: { switch: true, help: "Again and again", default: true },
    fps: { value: "F", help: "Frames a second", parse: parsers.positive },
  },
  run: () => Promise.resolve(0),
};

Deno.test("The reference has a row for each option, made from the command's own table", () => {
  const text = commandReference([command]);
  for (
    const line of [
      "## camera",
      "deno task camera N [OPTIONS]",
      "| `--starting-offsets earliest\\|latest` | `FRAMELANE_STARTING_OFFSETS` | `latest` | Where to start |",
      "| `--sink URI` (several) | `FRAMELANE_SINK` |  | Where to |",
      "| `--loop` | `FRAMELANE_LOOP` | `true` | Again and again |",
      "| `--fps F` | `FRAMELANE_FPS` |  | Frames a second |",
    ]
  ) assert.ok(text.split("\n").includes(line), line);
});

Deno.test("The reference is laid out as the formatter wants it", async () => {
  const once = await formatted(commandReference([command]));
  assert.equal(await formatted(once), once);
});
