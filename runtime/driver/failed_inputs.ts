// Counts how often runs of a lane failed on the same input of an operator: after some tries it is
// put aside. Stateful operators are tried in this way, by a restart each.
import type { InputAside } from "../engine/put_aside.ts";
import type { PlainError } from "../executor/protocol.ts";

/** Inputs remembered; the checkpoint has the older ones. */
const MOST = 100;

export class FailedInputs {
  #key = "";
  #tries = 0;
  #aside: readonly InputAside[] = [];

  /** Inputs that the next run skips. */
  get aside(): readonly InputAside[] {
    return this.#aside;
  }

  /**
   * Takes the error of a run; returns how often its input has failed, and whether it was put aside;
   * undefined without an input.
   */
  note({ failed, stack }: PlainError): { tries: number; aside: boolean } | undefined {
    if (failed === undefined) return undefined;
    const { tries: limit = Infinity, why, ...input } = failed;
    const key = JSON.stringify([input.operator, input.timer ?? input.offset, input.timer]);
    this.#tries = key === this.#key ? this.#tries + 1 : 1;
    this.#key = key;
    // An input put aside that still fails is left to the restarts.
    const known = this.#aside.some(({ operator, offset, timer }) =>
      operator === input.operator && offset === input.offset && timer === input.timer
    );
    const aside = this.#tries >= limit && !known;
    if (aside) {
      const one = { ...input, message: why, ...(stack === undefined ? {} : { stack }) };
      this.#aside = [...this.#aside, one].slice(-MOST);
    }
    return { tries: this.#tries, aside };
  }
}
