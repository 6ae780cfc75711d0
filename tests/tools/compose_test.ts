/** What `compose.yaml` starts must be what the command line takes. */
import assert from "node:assert/strict";
import { parse } from "yaml";
import { parseCommand } from "../../cli/command.ts";
import { environmentName } from "../../cli/launch/arguments.ts";
import { commands } from "../../cli/registry.ts";
import { resolvePlan } from "../../cli/up/resolve.ts";
import { join, ROOT } from "../../tools/paths.ts";

// Loaded here: native libraries that come with some commands stay loaded.
const loaded = new Map(
  await Promise.all(
    Object.entries(commands).map(async ([name, { load }]) => [name, await load()] as const),
  ),
);
const text = await Deno.readTextFile(new URL("../../compose.yaml", import.meta.url));

Deno.test("every service's command line is accepted, with the variables of image and service", async () => {
  const { services } = parse(text.replaceAll(/\$\{FRAMELANE_TOKEN:[^}]*\}/g, "a-token"), {
    merge: true,
  }) as {
    services: Record<string, { command?: string[]; environment: Record<string, string> }>;
  };
  const image = Object.fromEntries(
    [...(await Deno.readTextFile(join(ROOT, "Dockerfile"))).matchAll(/\b(FRAMELANE_\w+)=(\S+)/g)]
      .map(([, name, value]) => [name!, value!]),
  );
  assert.equal(image["FRAMELANE_HOST"], "0.0.0.0");
  const started = Object.values(services).filter(({ command }) => command !== undefined);
  assert.deepEqual(started.map(({ command }) => command![0]), ["up", "queries", "viewer"]);
  for (const { command: [name, ...args] = [], environment } of started) {
    const command = loaded.get(name!);
    assert.ok(command, `No command ${name}`);
    const variables: Record<string, string> = { ...image, ...environment };
    await parseCommand(command, args, (variable) => variables[variable]);
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

Deno.test("the file that the services run from is one that up takes", async () => {
  const file = join(ROOT, "deploy/compose/framelane.yaml");
  const variables: Record<string, string> = {
    FRAMELANE_LOG: "kafka://kafka:19092",
    FRAMELANE_TOKEN: "a-token-of-16-characters",
  };
  const { cameras, queries, viewer } = await resolvePlan(await Deno.readTextFile(file), {
    file,
    environment: (name) => variables[name],
    load: true,
  });
  assert.equal(cameras.length, 3);
  assert.equal(queries.length, 2);
  assert.equal(viewer?.port, 8000);
});
