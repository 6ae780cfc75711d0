// The line that says what is wrong with all tiles at once: no connection to the server, no log.
import type { ConnectionState } from "./connection.ts";
import { text } from "./dom.ts";

/** Shows the nearest trouble; the server's word on the log is old while there is no connection. */
export class Banner {
  readonly #root: HTMLElement;
  #connection = "";
  #problem = "";

  constructor(root: HTMLElement) {
    this.#root = root;
  }

  /** @param nextTry when the page connects again, by `performance.now` */
  connection(state: ConnectionState, nextTry = 0): void {
    const seconds = Math.max(1, Math.ceil((nextTry - performance.now()) / 1_000));
    this.#connection = state === "lost"
      ? `Connection lost. Trying again in ${seconds} s …`
      : state === "silent"
      ? "The server does not answer"
      : "";
    this.#show();
  }

  /** @param problem why the server cannot read the log; empty while it can */
  log(problem: string): void {
    this.#problem = problem;
    this.#show();
  }

  #show(): void {
    const away = this.#problem === "" ? "" : `${this.#problem}. Trying again …`;
    const line = this.#connection === "" ? away : this.#connection;
    this.#root.hidden = line === "";
    text(this.#root, line);
  }
}
