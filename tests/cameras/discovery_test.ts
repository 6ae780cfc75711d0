import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { discover } from "../../cameras/discovery.ts";
import { lookOptions } from "../../cli/camera_look.ts";

const PASSWORD = "canary-9f3";
/** Answers are at once, on a machine that has nothing else to do. */
const FOR_MS = 3_000;
const soap = (body: string) =>
  `<?xml version="1.0"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">${body}</s:Envelope>`;

/** A device that answers WS-Discovery and ONVIF's device and media services. */
async function withDevice(
  options: {
    readonly xaddrs?: (own: string) => string;
    readonly media?: (own: string) => string;
    /** In place of its profiles. */
    readonly profiles?: string;
  },
  body: (port: number, own: string) => Promise<void>,
): Promise<void> {
  const answer = async (request: Request): Promise<Response> => {
    const own = new URL(request.url).origin;
    const text = await request.text();
    if (text.includes("GetCapabilities")) {
      const address = options.media?.(own) ?? `${own}/media`;
      return new Response(
        soap(
          `<tds:Capabilities><tt:Media><tt:XAddr>${address}</tt:XAddr></tt:Media></tds:Capabilities>`,
        ),
      );
    }
    if (!loggedIn(text)) {
      const fault = soap('<s:Fault><s:Text xml:lang="en">Sender not authorized</s:Text></s:Fault>');
      return new Response(fault, { status: 400 });
    }
    if (text.includes("GetProfiles")) {
      return new Response(
        soap(
          options.profiles ??
            '<trt:Profiles fixed="true" token="main"/><trt:Profiles token="sub"/>',
        ),
      );
    }
    const token = /<ProfileToken>(\w+)/.exec(text)![1];
    return new Response(
      soap(
        `<trt:MediaUri><tt:Uri>rtsp://127.0.0.1:554/live?p=${token}&amp;x=1</tt:Uri></trt:MediaUri>`,
      ),
    );
  };
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, answer);
  const own = `http://127.0.0.1:${server.addr.port}`;
  const socket = createSocket("udp4");
  socket.on("message", (message, { address, port }) => {
    if (!message.toString().includes("NetworkVideoTransmitter")) return;
    const match = `<d:ProbeMatch><d:Scopes>onvif://www.onvif.org/name/Front%20door ` +
      `onvif://www.onvif.org/location/Yard</d:Scopes><d:XAddrs>${
        options.xaddrs?.(own) ?? `http://10.0.0.9/onvif ${own}/device`
      }</d:XAddrs></d:ProbeMatch>`;
    // Twice, as devices with two interfaces do.
    for (const _ of [1, 2]) {
      socket.send(soap(`<d:ProbeMatches>${match}</d:ProbeMatches>`), port, address);
    }
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  try {
    await body(socket.address().port, own);
  } finally {
    socket.close();
    await server.shutdown();
  }
}

/** What a device does with the digest of a password. */
function loggedIn(text: string): boolean {
  const field = (name: string) =>
    new RegExp(`<${name}(?:\\s[^>]*)?>([^<]*)<`).exec(text)?.[1] ?? "";
  const nonce = Uint8Array.fromBase64(field("Nonce"));
  const proof = createHash("sha1").update(nonce).update(field("Created") + PASSWORD);
  return field("Username") === "ann&amp;a".replace("&amp;", "&#38;") &&
    field("Password") === proof.digest("base64");
}

const { signal } = new AbortController();

Deno.test("discovery: a device is found by its answer, its streams by a login", async () => {
  await withDevice({}, async (port, own) => {
    const ask = (password: string) =>
      discover({
        hostname: "127.0.0.1",
        port,
        forMs: FOR_MS,
        credentials: { user: "ann&a", password },
        signal,
      });
    assert.deepEqual(await ask(PASSWORD), [{
      service: `${own}/device`,
      name: "Front door",
      place: "Yard",
      streams: ["rtsp://127.0.0.1:554/live?p=main&x=1", "rtsp://127.0.0.1:554/live?p=sub&x=1"],
    }]);
    const [wrong] = await ask("wrong");
    assert.deepEqual(wrong!.streams, []);
    assert.match(wrong!.error!, /requires a user name and a password .* or these are wrong/);
  });
});

Deno.test("discovery: a device speaks for itself alone", async () => {
  await withDevice({ xaddrs: () => "http://10.0.0.9/onvif file:///etc/hostname" }, async (port) => {
    assert.deepEqual(await discover({ hostname: "127.0.0.1", port, forMs: FOR_MS, signal }), []);
  });
  await withDevice({ media: () => "http://10.0.0.9/media" }, async (port) => {
    const [found] = await discover({ hostname: "127.0.0.1", port, forMs: FOR_MS, signal });
    assert.match(found!.error!, /media service is on another host, 10\.0\.0\.9/);
  });
});

Deno.test("discovery: hostile answers are read once, whatever they hold", async () => {
  const credentials = { user: "ann&a", password: PASSWORD };
  const ask = (port: number) =>
    discover({ hostname: "127.0.0.1", port, forMs: FOR_MS, credentials, signal });
  await withDevice({ media: () => "<x:Media>".repeat(100_000) }, async (port) => {
    const [found] = await ask(port);
    assert.match(found!.error!, /Invalid URL|no media service/);
  });
  const profiles = "<trt:Profiles ".repeat(70_000);
  await withDevice({ profiles }, async (port) => {
    assert.deepEqual((await ask(port))[0]!.streams, []);
  });
});

Deno.test("discovery: an address that cannot be asked is refused", () => {
  const { parse } = lookOptions.address;
  assert.deepEqual(parse("cam-1.example:80"), { hostname: "cam-1.example", port: 80 });
  for (const text of ["[::1]:3702", "10.0.0.4", "10.0.0.4:65536", ":80"]) {
    assert.throws(() => parse(text), /expected HOST:PORT, a name or an IPv4 address/, text);
  }
});
