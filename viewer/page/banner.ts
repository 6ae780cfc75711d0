/**
 * The line that says what is wrong with all tiles at once: no connection to the server, no log.
 *
 * @module
 */
import { text } from "./dom.ts";

/** Shows the nearest trouble; the server's word on the log is old while there is no connection. */
export class Banner {
  readonly #root: HTMLElement;
  #nextTry: number | undefined;
  #problem = "";

  constructor(root: HTMLElement) {
    this.#root = root;
  }

  /** @param nextTry when the page connects again, by `performance.now`; undefined while it is connected */
  connection(nextTry: number | undefined): void {
    this.#nextTry = nextTry;
    this.#show();
  }

  /** @param problem why the server cannot read the log; empty while it can */
  log(problem: string): void {
    this.#problem = problem;
    this.#show();
  }

  #show(): void {
    const seconds = Math.ceil(((this.#nextTry ?? 0) - performance.now()) / 1_000);
    const lost = `Connection lost. Trying again in ${Math.max(1, seconds)} s …`;
    const away = this.#problem === "" ? "" : `${this.#problem}. Trying again …`;
    const line = this.#nextTry === undefined ? away : lost;
    this.#root.hidden = line === "";
    text(this.#root, line);
  }
}
