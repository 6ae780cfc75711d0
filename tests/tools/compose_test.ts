/** What `compose.yaml` starts must be what the command line takes. */
import assert from "node:assert/strict";
import { parseCommand } from "../../cli/command.ts";
import { environmentName } from "../../cli/launch/arguments.ts";
import { commands } from "../../cli/registry.ts";

// Loaded here: native libraries that come with some commands stay loaded.
const loaded = new Map(
  await Promise.all(
    Object.entries(commands).map(async ([name, { load }]) => [name, await load()] as const),
  ),
);
const text = await Deno.readTextFile(new URL("../../compose.yaml", import.meta.url));

Deno.test("every service's command line is accepted", () => {
  const lines = [...text.matchAll(/^ {4}command: (\[.*\])$/gm)].map(([, json]) =>
    JSON.parse(json!) as string[]
  );
  assert.ok(lines.length >= 5);
  for (const [name, ...args] of lines) {
    const command = loaded.get(name!);
    assert.ok(command, `No command ${name}`);
    parseCommand(command, args, () => undefined);
  }
});

Deno.test("every variable that the services get is one of an option", () => {
  const known = new Set<string>();
  for (const { options } of loaded.values()) {
    for (const option of Object.keys(options)) known.add(environmentName(option));
  }
  const used = [...text.matchAll(/^ {2,}(FRAMELANE_\w+):/gm)].map(([, name]) => name!);
  assert.ok(used.length >= 4);
  for (const name of used) assert.ok(known.has(name), `${name} is no option's variable`);
});
