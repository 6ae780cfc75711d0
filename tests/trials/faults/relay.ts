/** Passes connections on: `relay.ts FROM_HOST:PORT TO_HOST:PORT DELAY_MS`. */
const [from, to] = Deno.args.slice(0, 2).map((text) => {
  const [hostname, port] = text.split(":");
  return { hostname: hostname!, port: Number(port) };
});
const delayMs = Number(Deno.args[2]);

for await (const incoming of Deno.listen(from!)) {
  void pass(incoming);
}

async function pass(incoming: Deno.Conn): Promise<void> {
  try {
    const outgoing = await Deno.connect(to!);
    await Promise.all([
      incoming.readable.pipeThrough(delayed()).pipeTo(outgoing.writable),
      outgoing.readable.pipeThrough(delayed()).pipeTo(incoming.writable),
    ]);
  } catch {
    // Either end has gone: the pipes have closed the other.
  }
}

/** Holds every piece up, in order. */
function delayed(): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  return new TransformStream({
    async transform(piece, controller) {
      if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
      controller.enqueue(piece);
    },
  });
}
