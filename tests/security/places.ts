// Where attacks are tried: what a run may touch, what it may not, and a machine that is not this one.
import dgram from "node:dgram";
import { once } from "node:events";
import { libraryFiles } from "../../cli/launch/native.ts";
import { freePort } from "../../tools/kafka/probe.ts";
import { ROOT } from "../../tools/paths.ts";
import { withFolder } from "../support/folder.ts";
import { launchOf } from "./task.ts";

/** What attacks get as arguments. */
export interface Places {
  /** A folder that may be written. */
  readonly data: string;
  /** A file that may not; beside it lie a picture (`.jpg`) and a socket (`.sock`) of the same name. */
  readonly outside: string;
  /** Framelane's folder. */
  readonly root: string;
  /** Deno's cache. */
  readonly cache: string;
  /** An address that no option names: a web server, a name server, and a port without a server. */
  readonly machine: {
    readonly hostname: string;
    readonly port: number;
    readonly dns: number;
    readonly free: number;
  };
}

/** Gives the test such places. Libraries lie in the data, as if a camera had sent them. */
export async function withPlaces(
  act: (place: Places, folder: string) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const [data, outside] = [`${folder}/data`, `${folder}/outside`];
    await Deno.mkdir(data);
    await Deno.writeTextFile(outside, "untouched");
    await Deno.writeTextFile(`${outside}.txt`, "");
    await Deno.copyFile(`${ROOT}/clips/astronaut.jpg`, `${outside}.jpg`);
    const [addon] = libraryFiles(["jpeg"], ROOT).filter((file) => file.endsWith(".node"));
    const [library] = libraryFiles(["jpeg"], ROOT).filter((file) => /\.so(?:\.|$)/.test(file));
    await Deno.copyFile(addon!, `${data}/evil.node`);
    await Deno.copyFile(library!, `${data}/evil.so`);
    using _socket = Deno.listen({ transport: "unix", path: `${outside}.sock` });
    const hostname = "127.0.0.2";
    await using server = Deno.serve(
      { hostname, port: 0, onListen() {} },
      () => new Response("export {};", { headers: { "content-type": "application/typescript" } }),
    );
    const names = dgram.createSocket("udp4", (question, { port, address }) => {
      names.send(answerOf(question), port, address);
    });
    names.bind(0, hostname);
    await once(names, "listening");
    try {
      const machine = {
        hostname,
        port: server.addr.port,
        dns: names.address().port,
        free: freePort(),
      };
      await act({ data, outside, root: ROOT, cache: launchOf("demo", []).cache, machine }, folder);
    } finally {
      names.close();
      await once(names, "close");
    }
  });
}

/** Whatever the question, the address is 192.0.2.1. */
function answerOf(question: Uint8Array): Uint8Array {
  const end = 12 + question.subarray(12).indexOf(0) + 5;
  const answer = new Uint8Array(end + 16);
  answer.set(question.subarray(0, end));
  // An answer, one record: the name as asked, of type A, class IN, for a minute, four bytes.
  answer.set([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0], 2);
  answer.set([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1], end);
  return answer;
}
