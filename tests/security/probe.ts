/**
 * Run with the flags of a task: tries what the task may not do, and prints as JSON what came of it.
 */
async function outcome(act: () => unknown): Promise<string> {
  try {
    await act();
    return "allowed";
  } catch (error) {
    return error instanceof Deno.errors.NotCapable ? "denied" : "allowed";
  }
}

const [outside] = Deno.args as [string];

async function append(path: string): Promise<void> {
  (await Deno.open(path, { append: true })).close();
}

const results = {
  "write outside": await outcome(() => append(outside)),
  "write main.ts": await outcome(() => append("main.ts")),
  "write a query": await outcome(() => append("queries/greyscale.ts")),
  "write a dependency": await outcome(() => append("node_modules/.deno/x")),
  "write a test": await outcome(() => append("tests/security/probe.ts")),
  "write the CI script": await outcome(() => append(".ci/run")),
  "write a model": await outcome(() => append("models/centernet/model.json")),
  "write .framelane": await outcome(() => Deno.mkdir(".framelane", { recursive: true })),
  "read outside": await outcome(() => Deno.readTextFile(outside)),
  "read the project": await outcome(() => Deno.readTextFile("deno.json")),
  "run a shell": await outcome(() => new Deno.Command("sh", { args: ["-c", ":"] }).output()),
  "run deno": await outcome(() => new Deno.Command(Deno.execPath()).spawn().kill()),
  "load a library of the system": await outcome(() => Deno.dlopen("/lib/libm.so.6", {})),
  "learn the host's name": await outcome(() => Deno.hostname()),
  "learn who it is": await outcome(() => Deno.uid()),
  // No process has this number.
  "signal a process": await outcome(() => Deno.kill(2 ** 30, "SIGTERM")),
  // Asked, not tried: nothing may be sent anywhere.
  "reach this machine": (await Deno.permissions.query({ name: "net", host: "127.0.0.1:9" })).state,
  "reach other machines":
    (await Deno.permissions.query({ name: "net", host: "192.0.2.1:443" })).state,
  "read FRAMELANE_TOKEN": Deno.env.get("FRAMELANE_TOKEN") === undefined ? "nothing" : "its value",
  "read AWS_SECRET": await outcome(() => Deno.env.get("AWS_SECRET")) === "denied"
    ? "denied"
    : Deno.env.get("AWS_SECRET") === undefined
    ? "nothing"
    : "its value",
};
await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(results)));
