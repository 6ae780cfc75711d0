// SASL authentication: PLAIN, OAUTHBEARER or SCRAM.
import { brokerErrors, LoginError, ResponseError } from "../protocol/errors.ts";
import { api } from "../protocol/api.ts";
import * as f from "../protocol/fields.ts";
import type { Credentials } from "./address.ts";
import type { Connection } from "./connection.ts";
import type { Step } from "./scram.ts";

const SASL_HANDSHAKE = api("SaslHandshake", 17, [1, 1], Infinity, {
  request: f.struct({ mechanism: f.string }),
  response: f.struct({ errorCode: f.int16, mechanisms: f.array(f.string) }),
});
const SASL_AUTHENTICATE = api("SaslAuthenticate", 36, [0, 2], 2, {
  request: f.struct({ authBytes: f.bytes }),
  response: f.struct({
    errorCode: f.int16,
    errorMessage: f.nullableString,
    authBytes: f.bytes,
    sessionLifetimeMs: f.since(1, f.int64, 0),
  }),
});

/**
 * @returns lifetime of the session in milliseconds; 0 means no limit
 * @throws {LoginError}
 */
export async function logIn(connection: Connection, credentials: Credentials): Promise<number> {
  const { mechanism } = credentials;
  await handshake(connection, mechanism);
  let lifetimeMs = 0;
  const step: Step = async (text) => {
    const response = await connection.call(SASL_AUTHENTICATE, {
      authBytes: new TextEncoder().encode(text),
    });
    lifetimeMs = response.sessionLifetimeMs;
    return new TextDecoder().decode(response.authBytes);
  };
  try {
    if (mechanism === "PLAIN") {
      await step(`\0${credentials.username}\0${credentials.password}`);
    } else if (mechanism === "OAUTHBEARER") {
      const token = (await credentials.token()).trim();
      const refused = await step(`n,,\x01auth=Bearer ${token}\x01\x01`);
      if (refused !== "") throw new LoginError(`the token was refused: ${refused}`);
    } else {
      const { scram } = await import("./scram.ts");
      await scram(step, mechanism, credentials.username, credentials.password);
    }
  } catch (error) {
    if (!(error instanceof ResponseError)) throw error;
    // No cause, since it may contain secrets.
    throw new LoginError(
      mechanism === "OAUTHBEARER"
        ? `the token was refused: ${brokerErrors(error)[0]?.message ?? "no reason given"}`
        : "user name or password is wrong",
    );
  }
  return lifetimeMs;
}

async function handshake(connection: Connection, mechanism: string): Promise<void> {
  try {
    await connection.call(SASL_HANDSHAKE, { mechanism });
  } catch (error) {
    if (!(error instanceof ResponseError)) throw error;
    const { mechanisms } = error.response as { readonly mechanisms: readonly string[] };
    throw new LoginError(
      mechanisms.length > 0
        ? `it does not support SASL mechanism ${mechanism}: expected ${mechanisms.join(", ")}`
        : `it does not support SASL mechanism ${mechanism} here, or it requires TLS`,
    );
  }
}
