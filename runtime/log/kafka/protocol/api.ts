// What a request of the protocol is: its number, the versions that are spoken, and how it is encoded.
import { type BrokerError, errorKind, type Outcome, ResponseError } from "./errors.ts";
import { array, type Field, int16, int32, since, string, struct } from "./fields.ts";

/** A request and the versions of it that are spoken. */
export interface Spoken {
  /** As the protocol calls it, e.g. `Metadata`. */
  readonly name: string;
  /** Its number in the protocol. */
  readonly key: number;
  readonly versions: readonly [lowest: number, highest: number];
  /** The version from which on it is encoded compactly, with tagged fields. */
  readonly flexible: number;
  /** What is done about errors, by name, if it is not what the table of errors says. */
  readonly outcomes?: Readonly<Record<string, Outcome>>;
}

/** A request that tables of fields describe. */
export interface Api<Request, Response> extends Spoken {
  readonly request: Field<Request>;
  readonly response: Field<Response>;
}

/** Describes a request. */
export function api<Request, Response>(
  name: string,
  key: number,
  versions: Spoken["versions"],
  flexible: number,
  fields: {
    readonly request: Field<Request>;
    readonly response: Field<Response>;
    readonly outcomes?: NonNullable<Spoken["outcomes"]>;
  },
): Api<Request, Response> {
  return { name, key, versions, flexible, ...fields };
}

/** A request in one version. */
export interface Call {
  readonly name: string;
  readonly key: number;
  readonly version: number;
  /** The header of the request has tagged fields. */
  readonly flexible: boolean;
  /** So has that of the response. Default: as the request's. */
  readonly flexibleResponse?: boolean;
}

/** Asks which versions a broker knows. Every broker answers, in version 0 if it does not know the asked one. */
export const API_VERSIONS = api("ApiVersions", 18, [0, 3], 3, {
  request: struct({
    clientSoftwareName: since(3, string, ""),
    clientSoftwareVersion: since(3, string, ""),
  }),
  response: struct({
    errorCode: int16,
    apiKeys: array(struct({ apiKey: int16, minVersion: int16, maxVersion: int16 })),
    throttleTimeMs: since(1, int32, 0),
  }),
});

/** The error of a code; undefined if it is none. */
export function errorOf(
  { outcomes }: Pick<Spoken, "outcomes">,
  code: number,
  place = "",
  message?: string | null,
): BrokerError | undefined {
  if (code === 0) return undefined;
  const kind = errorKind(code);
  return {
    kind,
    outcome: outcomes?.[kind.name] ?? kind.outcome,
    place,
    ...(message === undefined || message === null || message === "" ? {} : { message }),
  };
}

/**
 * Returns the response if it holds no error.
 *
 * @throws {ResponseError} with all errors in it, wherever they are.
 */
export function checked<T>(api: Spoken, response: T): T {
  const errors = [...errorsIn(api, response, "")];
  if (errors.length > 0) throw new ResponseError(api.name, errors, response);
  return response;
}

function* errorsIn(api: Spoken, value: unknown, outer: string): Generator<BrokerError> {
  if (Array.isArray(value)) {
    for (const item of value) yield* errorsIn(api, item, outer);
  } else if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value)) {
    const fields: Readonly<Record<string, unknown>> = { ...value };
    const { name, partition, errorCode, errorMessage } = fields;
    const place = typeof partition === "number"
      ? `${outer}/${partition}`
      : typeof name === "string"
      ? name
      : outer;
    if (typeof errorCode === "number") {
      const message = typeof errorMessage === "string" ? errorMessage : undefined;
      const error = errorOf(api, errorCode, place, message);
      if (error !== undefined) yield error;
    }
    for (const inner of Object.values(fields)) {
      if (typeof inner === "object") yield* errorsIn(api, inner, place);
    }
  }
}
