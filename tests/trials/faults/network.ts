// A network namespace that a process runs in, with one cable to this machine, which can be cut and be slow.
import { fileURLToPath } from "node:url";

/** A namespace with its cable. */
export interface Network {
  /** What runs a command in it. */
  readonly within: readonly string[];
  cut(): Promise<void>;
  heal(): Promise<void>;
  remove(): Promise<void>;
}

/**
 * Makes a namespace in which `127.0.0.1:port` is this machine's `127.0.0.1:port`, by the cable: a relay
 * on either end of it.
 *
 * @param delayMs how long whatever passes is held up, in each direction.
 */
export async function network(port: number, delayMs = 0): Promise<Network> {
  const id = crypto.randomUUID().slice(0, 6);
  const [name, here, there] = [`fl-${id}`, `flh${id}`, `flc${id}`];
  const third = 1 + Math.floor(Math.random() * 250);
  const address = `10.231.${third}.1`;
  const within = ["ip", "netns", "exec", name];
  await run("ip", "netns", "add", name);
  await run("ip", "link", "add", here, "type", "veth", "peer", "name", there);
  await run("ip", "link", "set", there, "netns", name);
  await run("ip", "addr", "add", `${address}/24`, "dev", here);
  await run("ip", "link", "set", here, "up");
  await run(...within, "ip", "addr", "add", `10.231.${third}.2/24`, "dev", there);
  await run(...within, "ip", "link", "set", there, "up");
  await run(...within, "ip", "link", "set", "lo", "up");
  const relays = [
    relay([], `${address}:${port}`, `127.0.0.1:${port}`, delayMs),
    relay(within, `127.0.0.1:${port}`, `${address}:${port}`, 0),
  ];
  return {
    within,
    cut: () => run("ip", "link", "set", here, "down"),
    heal: () => run("ip", "link", "set", here, "up"),
    async remove() {
      for (const child of relays) {
        child.kill("SIGKILL");
        await child.status;
      }
      await run("ip", "link", "del", here);
      await run("ip", "netns", "del", name);
    },
  };
}

function relay(
  within: readonly string[],
  from: string,
  to: string,
  delayMs: number,
): Deno.ChildProcess {
  const script = fileURLToPath(new URL("./relay.ts", import.meta.url));
  const [command, ...args] = [
    ...within,
    Deno.execPath(),
    "run",
    "--allow-net",
    script,
    from,
    to,
    String(delayMs),
  ];
  return new Deno.Command(command!, { args, stdin: "null", stdout: "null", stderr: "inherit" })
    .spawn();
}

async function run(...command: string[]): Promise<void> {
  const [program, ...args] = command;
  const { success, stderr } = await new Deno.Command(program!, { args }).output();
  if (!success) {
    throw new Error(`Cannot run ${command.join(" ")}: ${new TextDecoder().decode(stderr).trim()}`);
  }
}
