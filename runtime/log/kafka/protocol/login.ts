/**
 * Requests of a login.
 *
 * @module
 */
import { api } from "./api.ts";
import { array, bytes, int16, int64, nullableString, since, string, struct } from "./fields.ts";

export const SASL_HANDSHAKE = api("SaslHandshake", 17, [1, 1], Infinity, {
  request: struct({ mechanism: string }),
  response: struct({ errorCode: int16, mechanisms: array(string) }),
});

export const SASL_AUTHENTICATE = api("SaslAuthenticate", 36, [0, 2], 2, {
  request: struct({ authBytes: bytes }),
  response: struct({
    errorCode: int16,
    errorMessage: nullableString,
    authBytes: bytes,
    /** How long the login is good for; 0: for ever. */
    sessionLifetimeMs: since(1, int64, 0),
  }),
});
