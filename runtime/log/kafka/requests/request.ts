/**
 * What all requests have in common.
 *
 * @module
 */
import { protocolErrorsCodesById, ResponseError } from "../client.ts";

/** A request of the protocol, in the version that is spoken. */
export interface Call {
  /** Number of the request in the protocol. */
  readonly key: number;
  readonly version: number;
  /** False for the few whose headers have no tagged fields. Default true. */
  readonly flexible?: boolean;
}

const UNKNOWN_SERVER_ERROR = -1;

/** What a broker refuses: gathered while an answer is read, thrown when all of it is. */
export class Refusals {
  readonly #found: Record<string, [code: number, message: string | null]> = {};

  /**
   * Notes an error code; 0 is none.
   *
   * @param place what the code is about, e.g. `VideoStreaming/0`.
   */
  note(code: number, place = "", message: string | null = null): number {
    if (code !== 0) {
      const known = protocolErrorsCodesById[code as keyof typeof protocolErrorsCodesById];
      this.#found[place] = [known === undefined ? UNKNOWN_SERVER_ERROR : code, message];
    }
    return code;
  }

  /**
   * Returns the answer if nothing was refused.
   *
   * @throws an error of the client, with the answer as its `response`.
   */
  over<T>({ key, version }: Call, answer: T): T {
    if (Object.keys(this.#found).length > 0) {
      throw new ResponseError(key, version, this.#found, answer);
    }
    return answer;
  }
}
