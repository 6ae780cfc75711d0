/** Passes connections on: `relay.ts FROM_HOST:PORT TO_HOST:PORT`. */
const [from, to] = Deno.args.map((text) => {
  const [hostname, port] = text.split(":");
  return { hostname: hostname!, port: Number(port) };
});

for await (const incoming of Deno.listen(from!)) {
  void pass(incoming);
}

async function pass(incoming: Deno.Conn): Promise<void> {
  try {
    const outgoing = await Deno.connect(to!);
    await Promise.all([
      incoming.readable.pipeTo(outgoing.writable),
      outgoing.readable.pipeTo(incoming.writable),
    ]);
  } catch {
    // Either end has gone: the pipes have closed the other.
  }
}
