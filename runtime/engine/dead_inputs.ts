// Inputs that one operator has failed on too often, in this run and in earlier ones.
import { OperatorError, type OperatorErrorPolicy } from "../definition/operator_error.ts";
import type { FailedInput, OperatorPlace } from "../definition/operator_error.ts";

/** An input dead-lettered by an earlier run. */
export interface DeadInput extends FailedInput {
  readonly message: string;
  readonly stack?: string;
}

/** What the checkpoint keeps of a step's errors. */
export interface StepErrors {
  /** The dead-lettered inputs, as `nameOf` names them; offsets alone in older checkpoints. */
  readonly aside?: readonly (string | number)[];
  /** Inputs dead-lettered since the last success. */
  readonly inARow?: number;
}

/** Names an input of a step. */
function nameOf(offset: number, number?: number): string {
  return number === undefined ? `${offset}` : `${offset}/${number}`;
}

export class DeadInputs {
  readonly #place: OperatorPlace;
  readonly #limit: number;
  /** The errors of inputs dead-lettered by earlier runs. */
  readonly #errors: ReadonlyMap<string, Error>;
  /** Timers dead-lettered by earlier runs: their errors are only reported. */
  readonly #timers: ReadonlySet<number>;
  /** All dead-lettered inputs, for the checkpoint. */
  readonly #names: Set<string>;
  #inARow: number;
  #succeeded = false;
  #last: OperatorError | undefined;

  /**
   * @param dead from the driver.
   * @param errors from the checkpoint.
   */
  constructor(
    operator: string,
    place: OperatorPlace,
    policy: OperatorErrorPolicy,
    dead: readonly DeadInput[],
    errors: StepErrors,
  ) {
    this.#place = place;
    this.#limit = policy.kind === "dead-letter" ? policy.maxInARow : Infinity;
    const own = dead.filter((input) => input.operator === operator);
    this.#names = new Set(errors.aside?.map(String));
    this.#errors = new Map([
      ...Array.from(this.#names, (name) => [name, new Error("Dead-lettered before")] as const),
      ...own.filter(({ timer }) => timer === undefined).map((input) => {
        const { offset, number, message, stack } = input;
        return [nameOf(offset, number), Object.assign(new Error(message), { stack })] as const;
      }),
    ]);
    this.#timers = new Set(own.flatMap(({ timer }) => timer ?? []));
    this.#inARow = errors.inARow ?? 0;
  }

  /** The error of an input dead-lettered before. */
  errorOf(offset: number, number?: number): Error | undefined {
    // Called for each input; most have never failed.
    return this.#errors.size === 0 ? undefined : this.#errors.get(nameOf(offset, number));
  }

  holdsTimer(time: number): boolean {
    return this.#timers.has(time);
  }

  /** The operator has succeeded; returns whether it had failed before. */
  passed(): boolean {
    this.#succeeded = true;
    const failed = this.#inARow > 0;
    this.#inARow = 0;
    return failed;
  }

  /** Remembers an input, so that frames re-read after a restart are treated the same. */
  remember({ offset, number }: FailedInput): void {
    this.#names.add(nameOf(offset, number));
  }

  /** @throws {OperatorError} `OPERATOR_FAILED` when it is one too many in a row. */
  count(failure: OperatorError): void {
    this.#inARow++;
    this.#last = failure;
    if (this.#inARow >= this.#limit) {
      throw this.#final(failure, `it has failed on ${this.#inARow} inputs in a row`);
    }
  }

  get failedOnAll(): OperatorError | undefined {
    if (this.#inARow === 0 || this.#succeeded || this.#last === undefined) return undefined;
    return this.#final(this.#last, "it has failed on every frame");
  }

  /** The errors that a restart from `restart` must know; undefined when there are none. */
  errors(restart: number): StepErrors | undefined {
    for (const name of this.#names) if (parseInt(name) < restart) this.#names.delete(name);
    if (this.#names.size === 0 && this.#inARow === 0) return undefined;
    return { aside: [...this.#names], inARow: this.#inARow };
  }

  #final({ operator, input, cause }: OperatorError, why: string): OperatorError {
    return new OperatorError(input ?? { operator }, this.#place, cause, {
      final: true,
      why: `; ${why}`,
    });
  }
}
