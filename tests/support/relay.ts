// A stretch of network before a server on this machine, which a test can cut, and let swallow what passes.

/** Passes connections on to a port. */
export class Relay {
  readonly port: number;
  /** Bytes that the server has sent. */
  sent = 0;
  readonly #target: () => number;
  readonly #ends = new Set<Deno.Conn>();
  #listener: Deno.Listener | undefined;
  #open = Promise.withResolvers<void>();

  /** @param target the server's port, asked for at each connection. */
  constructor(port: number, target: () => number) {
    this.port = port;
    this.#target = target;
    this.heal();
  }

  /** Everything passes. */
  heal(): void {
    this.#open.resolve();
    if (this.#listener !== undefined) return;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: this.port });
    void this.#accept(this.#listener);
  }

  /** Connections break, and new ones are refused. */
  cut(): void {
    this.#listener?.close();
    this.#listener = undefined;
    for (const end of this.#ends) this.#close(end);
  }

  /** Connections stand and are accepted, and nothing passes. */
  swallow(): void {
    this.#open = Promise.withResolvers();
  }

  async #accept(listener: Deno.Listener): Promise<void> {
    try {
      for await (const incoming of listener) void this.#join(incoming);
    } catch {
      // The listener was closed.
    }
  }

  async #join(incoming: Deno.Conn): Promise<void> {
    this.#ends.add(incoming);
    let outgoing: Deno.Conn | undefined;
    try {
      outgoing = await Deno.connect({ hostname: "127.0.0.1", port: this.#target() });
      this.#ends.add(outgoing);
      await Promise.race([
        this.#pass(incoming, outgoing),
        this.#pass(outgoing, incoming, (size) => this.sent += size),
      ]);
    } catch {
      // Either end has gone, and takes the other one along.
    }
    this.#close(incoming);
    if (outgoing !== undefined) this.#close(outgoing);
  }

  async #pass(from: Deno.Conn, to: Deno.Conn, onBytes = (_size: number) => {}): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    for (;;) {
      const size = await from.read(buffer);
      if (size === null) return;
      await this.#open.promise;
      onBytes(size);
      for (let at = 0; at < size;) at += await to.write(buffer.subarray(at, size));
    }
  }

  #close(end: Deno.Conn): void {
    if (!this.#ends.delete(end)) return;
    end.close();
  }
}
