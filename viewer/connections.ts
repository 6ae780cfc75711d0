// Limits concurrent streams and sockets.
export class Connections {
  readonly #most: number;
  #open = 0;

  /**
   * @param most maximum number of concurrent streams and sockets; further ones are rejected with a retry
   * delay
   */
  constructor(most = 1_024) {
    this.#most = most;
  }

  /** Reserves a place and returns a function that releases it; undefined if there is none left. */
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
