// How many streams and sockets there are at a time.
/** Counts who is there, and refuses more than there is room for. */
export class Connections {
  readonly #most: number;
  #open = 0;

  /** @param most streams and sockets at the same time; more are asked to come back later. */
  constructor(most = 1_024) {
    this.#most = most;
  }

  get open(): number {
    return this.#open;
  }

  /** Takes a place; the returned function gives it back. Undefined when there is none. */
  enter(): (() => void) | undefined {
    if (this.#open >= this.#most) return undefined;
    this.#open++;
    let inside = true;
    return () => {
      if (inside) this.#open--;
      inside = false;
    };
  }
}
