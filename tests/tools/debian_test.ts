import assert from "node:assert/strict";
import { ensure, installCommand, missing, type NeedName, needs } from "../../tools/debian.ts";
import { join, ROOT } from "../../tools/paths.ts";

Deno.test("The install command names all packages once, and asks nothing", () => {
  assert.equal(
    installCommand(["java", "kcat"]),
    "apt-get install --no-install-recommends default-jre-headless kcat",
  );
});

Deno.test("A user who may not install sees what to install, and nothing is run", async () => {
  const names: NeedName[] = ["java", "maven"];
  const path = Deno.env.get("PATH")!;
  try {
    // Nothing can be found any more: neither the programs nor Debian's installer.
    Deno.env.set("PATH", "/nonexistent");
    assert.deepEqual(await missing(names), names);
    const said: string[] = [];
    await assert.rejects(
      ensure(names, { say: (line) => said.push(line), root: true }),
      /Cannot continue without java \(17 or newer, .*\), maven .*: install them/,
    );
    assert.deepEqual(said, []);
  } finally {
    Deno.env.set("PATH", path);
  }
});

Deno.test("Each need can be probed and met", () => {
  for (const [name, { purpose, packages, probe }] of Object.entries(needs)) {
    assert.ok(purpose.length > 0 && packages.length > 0 && probe.length > 1, name);
  }
});

Deno.test("CI installs all that the tests need", async () => {
  const script = await Deno.readTextFile(join(ROOT, ".ci", "run"));
  // Go builds a broker for a task of its own; of Java CI takes a version by name.
  const { go: _, java: __, ...tests } = needs;
  const packages = Object.values(tests).flatMap(({ packages }) => packages);
  assert.match(script, /openjdk-17-jre-headless/);
  for (const name of packages) {
    assert.match(script, new RegExp(`(^|\\s)${name.replaceAll(".", "\\.")}(\\s|$)`, "m"), name);
  }
});
