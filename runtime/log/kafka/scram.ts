/**
 * SCRAM as the client package has it. It brings much of the package along: loaded when somebody logs in so.
 *
 * @module
 */
// @ts-types="../../../node_modules/@platformatic/kafka/dist/protocol/sasl/scram-sha.d.ts"
import {
  authenticate as scramSha,
  defaultCrypto,
} from "../../../node_modules/@platformatic/kafka/dist/protocol/sasl/scram-sha.js";
import type { Credentials } from "./address.ts";
import type { Authenticate } from "./sasl.ts";

/** Logs in with SCRAM; fails when broker or password are not what they should be. */
export function scram(
  authenticate: Authenticate,
  mechanism: Exclude<Credentials["mechanism"], "PLAIN">,
  username: string,
  password: string,
): Promise<void> {
  const algorithm = mechanism === "SCRAM-SHA-256" ? "SHA-256" : "SHA-512";
  return new Promise((resolve, reject) =>
    scramSha(
      authenticate as unknown as Parameters<typeof scramSha>[0],
      // The mechanism only hands it on to `authenticate`.
      undefined as unknown as Parameters<typeof scramSha>[1],
      algorithm,
      username,
      password,
      defaultCrypto,
      (error) => error instanceof Error ? reject(error) : resolve(),
    )
  );
}
