/**
 * What code that turned bad would try: run within the fence of a task, it prints as JSON what came of each
 * attempt. `FRAMELANE_ATTACK`, or what follows `?` in its address, says where (see `Places`): `data` may be written,
 * `outside` may not, and `machine` stands for another machine. Each attempt works without a fence, whatever came before it.
 */
import childProcess from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import net from "node:net";
import process from "node:process";
import { DatabaseSync } from "node:sqlite";
import threads from "node:worker_threads";

import type { Places } from "./places.ts";

const { search } = new URL(import.meta.url);
const { cache, data, outside, root, machine } = JSON.parse(
  search === "" ? Deno.env.get("FRAMELANE_ATTACK")! : decodeURIComponent(search.slice(1)),
) as Places;
const { hostname, port, dns } = machine;
const code = `${root}/main.ts`;
const module = (text: string) => `data:application/typescript,${encodeURIComponent(text)}`;

/** Opens for writing and writes nothing. */
function touch(path: string): void {
  Deno.openSync(path, { append: true }).close();
}

function linked(link: (from: string, to: string) => void, from: string): void {
  const to = `${data}/link-${crypto.randomUUID()}`;
  link(from, to);
  try {
    touch(to);
  } finally {
    Deno.removeSync(to);
  }
}

/** Runs a worker to its first message. */
async function inWorker(text: string, permissions: unknown): Promise<void> {
  const body = `try { ${text}; postMessage("") } catch (error) { postMessage(String(error)) }`;
  const worker = new Worker(
    module(body),
    { type: "module", deno: { permissions } } as WorkerOptions,
  );
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = (event) => {
    event.preventDefault();
    reject(new Error(event.message));
  };
  const said = await promise.finally(() => worker.terminate());
  if (said !== "") throw new Error(said);
}

const appending = `Deno.openSync(${JSON.stringify(code)}, { append: true }).close()`;
const callbacks = <T>(act: (done: (error?: unknown, value?: T) => void) => void) =>
  new Promise<void>((resolve, reject) => act((error) => error ? reject(error) : resolve()));

/** Attempts by what they would do; each throws where it is refused. */
const attempts: Record<string, () => unknown> = {
  "write code": () => touch(code),
  "write a query": () => touch(`${root}/queries/greyscale.ts`),
  "write a dependency": () => touch(`${root}/node_modules/.deno/x`),
  "write a test": () => touch(`${root}/tests/security/attack.ts`),
  "write settings of Git": () => touch(`${root}/.git/x`),
  "write the CI script": () => touch(`${root}/.ci/run`),
  "write a new file beside the code": () => touch(`${root}/deno.jsonc`),
  "write a dependency through Deno's cache": () => touch(`${cache}/npm/x`),
  "write what Deno compiled": () => touch(`${cache}/gen/x`),
  "write outside": () => touch(outside),
  "write by a path with ..": () => touch(`${data}/../${"../".repeat(20)}${code}`),
  "write through /proc/self/root": () => touch(`/proc/self/root${code}`),
  "write through /proc/self/cwd": () => touch("/proc/self/cwd/main.ts"),
  "write memory of its own": () => touch("/proc/self/mem"),
  "rename the checkout": () => Deno.renameSync(root, `${root}`),
  "rename code away": () => {
    Deno.renameSync(`${root}/cli`, `${data}/cli`);
    Deno.renameSync(`${data}/cli`, `${root}/cli`);
  },
  "rename a file over code": () => {
    Deno.writeTextFileSync(`${data}/new.ts`, "");
    Deno.renameSync(`${data}/new.ts`, code);
  },
  "copy over code": () => {
    Deno.writeTextFileSync(`${data}/new.ts`, "");
    Deno.copyFileSync(`${data}/new.ts`, code);
  },
  "write through a hard link": () => linked(Deno.linkSync, code),
  "write through a hard link of Node": () => linked(fs.linkSync, code),
  "write through a symbolic link": () => linked(Deno.symlinkSync, code),
  "write through a symbolic link of Node": () => linked(fs.symlinkSync, code),
  "write through a link to the folder": () => {
    const folder = `${data}/folder-${crypto.randomUUID()}`;
    Deno.symlinkSync(root, folder);
    touch(`${folder}/main.ts`);
  },
  "put a library among the dependencies by a hard link": () => {
    Deno.linkSync(`${data}/evil.node`, `${root}/node_modules/.deno/evil.node`);
    Deno.removeSync(`${root}/node_modules/.deno/evil.node`);
  },
  "put a library among the dependencies by a symbolic link": () => {
    Deno.symlinkSync(`${data}/evil.node`, `${root}/node_modules/.deno/evil.node`);
    Deno.removeSync(`${root}/node_modules/.deno/evil.node`);
  },
  "remove code": () => Deno.removeSync(`${root}/node_modules/.deno/x`),
  "change the rights of code": () => Deno.chmodSync(code, 0o644),
  "truncate code": () => Deno.truncateSync(`${root}/x`, 0),
  "write with Node": () => fs.appendFileSync(code, ""),
  "write with Node's streams": () =>
    callbacks((done) => fs.createWriteStream(code, { flags: "a" }).on("error", done).end(done)),
  "write a database over code": () => new DatabaseSync(`${root}/x.db`).exec("CREATE TABLE x (y)"),
  "attach a database": () =>
    new DatabaseSync(":memory:").exec(`ATTACH '${root}/a.db' AS x; CREATE TABLE x.y (z)`),
  "vacuum into a file": () => new DatabaseSync(":memory:").exec(`VACUUM INTO '${root}/v.db'`),
  "load an extension of SQLite": () =>
    new DatabaseSync(":memory:", { allowExtension: true }).loadExtension(`${data}/evil.so`),
  "keep keys and values beside code": async () => (await Deno.openKv(`${root}/x.kv`)).close(),
  "read outside": () => Deno.readTextFileSync(outside),
  "read outside with Node": () => fs.readFileSync(outside),
  "read passwords of the system": () => Deno.readTextFileSync("/etc/shadow"),
  "read the environment in /proc": () => Deno.readTextFileSync("/proc/self/environ"),
  "read a secret of the environment": () => {
    if (Deno.env.get("AWS_SECRET") === undefined) throw new Error("Requires env access: hidden");
  },
  "read a secret with Node": () => {
    if (process.env["AWS_SECRET"] === undefined) throw new Error("Requires env access: hidden");
  },
  "run a shell": () => new Deno.Command("sh", { args: ["-c", ":"] }).outputSync(),
  "run Deno": () => new Deno.Command(Deno.execPath(), { args: ["--version"] }).outputSync(),
  "run a shell with Node": () => {
    const { status } = childProcess.spawnSync("sh", ["-c", ":"]);
    if (status !== 0) throw new Error("EPERM: nothing ran");
  },
  "run a program with Node": () =>
    callbacks((done) => childProcess.execFile("/bin/true", (error) => done(error))),
  "load a library of the system": () => Deno.dlopen("/lib/x86_64-linux-gnu/libm.so.6", {}),
  "load a library from its data": () => Deno.dlopen(`${data}/evil.so`, {}),
  "load a library by its number": () => {
    Deno.dlopen(`/proc/self/fd/${fs.openSync(`${data}/evil.so`, "r")}`, {});
  },
  "load an addon by a symbolic link": () => {
    const link = `${data}/addon-${crypto.randomUUID()}.node`;
    Deno.symlinkSync(`${data}/evil.node`, link);
    createRequire(code)(link);
  },
  "load an addon from its data": () => createRequire(code)(`${data}/evil.node`),
  "load an addon by process.dlopen": () =>
    (process as unknown as { dlopen(module: object, file: string): void })
      .dlopen({ exports: {} }, `${data}/evil.node`),
  "make a pointer": () => Deno.UnsafePointer.of(new Uint8Array(8)),
  "reach another machine": async () => (await Deno.connect({ hostname, port })).close(),
  "fetch from another machine": async () =>
    await (await fetch(`http://${hostname}:${port}/`)).body?.cancel(),
  "reach another machine with Node": () =>
    callbacks((done) => {
      const socket = net.connect(port, hostname, () => {
        socket.destroy();
        done();
      }).on("error", done);
    }),
  "look up a name": () =>
    Deno.resolveDns("example.org", "A", { nameServer: { ipAddr: hostname, port: dns } }),
  "listen for others": () => Deno.listen({ hostname: "0.0.0.0", port: 0 }).close(),
  "listen at a socket of its own": () =>
    Deno.listen({ transport: "unix", path: `${root}/x.sock` }).close(),
  "reach a socket of the system": () =>
    Deno.connect({ transport: "unix", path: `${outside}.sock` }),
  "import from the network": () => import(`http://${hostname}:${port}/module.ts`),
  "import a module of its data": async () => await import(module(appending)),
  "write in a worker": () => inWorker(appending, "inherit"),
  "write in a worker with permissions": () => inWorker(appending, { write: true, read: true }),
  "run in a worker with permissions": () =>
    inWorker("new Deno.Command('true').outputSync()", { run: true }),
  "write in a worker of Node": () =>
    callbacks((done) => {
      const text = `require("node:fs").appendFileSync(${JSON.stringify(code)}, "")`;
      const worker = new threads.Worker(text, { eval: true });
      worker.on("error", done).on("exit", (status: number) => done(status || undefined));
    }),
  "ask for more": async () => {
    const { state } = await Deno.permissions.request({ name: "write" });
    if (state !== "granted") throw new Error("Requires write access: not granted");
  },
  "signal a process": () => Deno.kill(Deno.ppid, "SIGCONT"),
  "learn the host's name": () => Deno.hostname(),
  "learn who it is": () => Deno.uid(),
};

const REFUSED =
  /Requires .* access|NotCapable|EACCES|EPERM|Permission denied|Can't escalate|max 0/i;
const results: Record<string, string> = {};
for (const [name, attempt] of Object.entries(attempts)) {
  try {
    await attempt();
    results[name] = "done";
  } catch (error) {
    const { message = "", code = "" } = error as { message?: string; code?: string };
    results[name] = REFUSED.test(`${error} ${code}`) ? "refused" : `failed: ${message || error}`;
  }
}
Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(results)));
Deno.exit(0);
