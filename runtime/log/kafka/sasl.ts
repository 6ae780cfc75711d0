/**
 * Logging in: SASL with PLAIN or SCRAM, as the client package does it.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Credentials } from "./address.ts";
import { AuthenticationError, ResponseError } from "./client.ts";
import type { Connection } from "./connection.ts";
import { Refusals } from "./requests/request.ts";

const HANDSHAKE = { key: 17, version: 1, flexible: false };
const AUTHENTICATE = { key: 36, version: 2 };

/** A step of the login, as the package's mechanisms want it. */
export type Authenticate = (
  connection: unknown,
  bytes: Uint8Array,
  done: (error: Error | null, answer?: { readonly authBytes: Buffer }) => void,
) => void;

/**
 * Logs in.
 *
 * @returns how long the login is good for, milliseconds; 0 for ever.
 * @throws errors of the client.
 */
export async function logIn(connection: Connection, credentials: Credentials): Promise<number> {
  const { mechanism, username, password } = credentials;
  await handshake(connection, mechanism);
  let lifetimeMs = 0;
  let lost: Error | undefined;
  const authenticate: Authenticate = (_connection, bytes, done) => {
    connection.request(AUTHENTICATE, (to) => to.bytes(bytes).noTags(), (from) => {
      const refusals = new Refusals();
      refusals.note(from.int16(), "", from.nullableString());
      const authBytes = Buffer.from(from.bytes());
      lifetimeMs = from.int64();
      from.tags();
      return refusals.over(AUTHENTICATE, { authBytes });
    }).then((answer) => done(null, answer), (error) => {
      if (!(error instanceof ResponseError)) lost = error;
      done(error);
    });
  };
  try {
    if (mechanism === "PLAIN") {
      await logInPlain(authenticate, username, password);
    } else {
      // Whoever does not log in this way need not load it.
      const { scram } = await import("./scram.ts");
      await scram(authenticate, mechanism, username, password);
    }
  } catch (error) {
    // A connection that was lost meanwhile says nothing of the login.
    throw lost ?? new AuthenticationError("SASL authentication failed.", { cause: error as Error });
  }
  return lifetimeMs;
}

function logInPlain(
  authenticate: Authenticate,
  username: string,
  password: string,
): Promise<void> {
  return new Promise((resolve, reject) =>
    authenticate(
      undefined,
      Buffer.from(["", username, password].join("\0")),
      (error) => error === null ? resolve() : reject(error),
    )
  );
}

async function handshake(connection: Connection, mechanism: string): Promise<void> {
  try {
    await connection.request(HANDSHAKE, (to) => to.string16(mechanism), (from) => {
      const refusals = new Refusals();
      refusals.note(from.int16());
      return refusals.over(HANDSHAKE, undefined);
    });
  } catch (error) {
    if (!(error instanceof ResponseError)) throw error;
    throw new AuthenticationError("Cannot find a suitable SASL mechanism.", {
      cause: error as Error,
    });
  }
}
