// The banner for problems of the whole wall: no connection to the server, no log.
import type { ConnectionState } from "./connection.ts";
import { text } from "./dom.ts";

/** Shows a lost connection, or else the server's problem with the log. */
export class Banner {
  readonly #root: HTMLElement;
  #connection = "";
  #problem = "";

  constructor(root: HTMLElement) {
    this.#root = root;
  }

  /** @param nextTry time of the next attempt, as `performance.now()` */
  connection(state: ConnectionState, nextTry = 0): void {
    const seconds = Math.max(1, Math.ceil((nextTry - performance.now()) / 1_000));
    this.#connection = state === "lost"
      ? `Connection lost. Retrying in ${seconds} s …`
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
    const away = this.#problem === "" ? "" : `${this.#problem}. Retrying …`;
    const line = this.#connection === "" ? away : this.#connection;
    this.#root.hidden = line === "";
    text(this.#root, line);
  }
}
