// Describes requests: API key, supported versions, encoding.
import { type BrokerError, errorKind, ResponseError } from "./errors.ts";
import { array, type Field, int16, since, string, struct } from "./fields.ts";

/** A request in the versions supported here. */
export interface Api<Request, Response> {
  /** Name in the protocol, e.g. `Metadata`. */
  readonly name: string;
  readonly key: number;
  readonly versions: readonly [lowest: number, highest: number];
  /** First version with compact encoding and tagged fields. */
  readonly flexible: number;
  readonly request: Field<Request>;
  readonly response: Field<Response>;
}

export function api<Request, Response>(
  name: string,
  key: number,
  versions: AnyApi["versions"],
  flexible: number,
  fields: Pick<Api<Request, Response>, "request" | "response">,
): Api<Request, Response> {
  return { name, key, versions, flexible, ...fields };
}

/** An API without the types of its fields. */
export type AnyApi = Omit<Api<unknown, unknown>, "request" | "response">;

/** A request in one version. */
export interface Call {
  readonly name: string;
  readonly key: number;
  readonly version: number;
  /** The headers have tagged fields. */
  readonly flexible: boolean;
}

const apiKeys = array(struct({ apiKey: int16, minVersion: int16, maxVersion: int16 }));

/** Since version 3 it names this software. The headers of its responses have no tagged fields. */
export const API_VERSIONS = api("ApiVersions", 18, [0, 3], 3, {
  request: struct({ softwareName: since(3, string, ""), softwareVersion: since(3, string, "") }),
  response: {
    write: struct({ errorCode: int16, apiKeys }).write,
    read(from, as) {
      const errorCode = from.int16();
      // A broker that does not know the version responds in version 0.
      return { errorCode, apiKeys: errorCode === 0 ? apiKeys.read(from, as) : [] };
    },
  },
});

/** Undefined for code 0. */
export function errorOf(code: number, place = "", message = ""): BrokerError | undefined {
  if (code === 0) return undefined;
  return { kind: errorKind(code), place, ...(message === "" ? {} : { message }) };
}

/** @throws {ResponseError} with all errors in the response, at any depth */
export function checked<T>(response: T): T {
  const errors = errorsIn(response, "");
  if (errors.length > 0) throw new ResponseError(errors, response);
  return response;
}

function errorsIn(value: unknown, outer: string): BrokerError[] {
  if (Array.isArray(value)) return value.flatMap((item) => errorsIn(item, outer));
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return [];
  const fields: Readonly<Record<string, unknown>> = { ...value };
  const { name, partition, errorCode, errorMessage } = fields;
  const place = typeof partition === "number"
    ? `${outer}/${partition}`
    : typeof name === "string"
    ? name
    : outer;
  const message = typeof errorMessage === "string" ? errorMessage : "";
  const own = typeof errorCode === "number" ? errorOf(errorCode, place, message) : undefined;
  const inner = Object.values(fields).flatMap((one) => errorsIn(one, place));
  return own === undefined ? inner : [own, ...inner];
}
