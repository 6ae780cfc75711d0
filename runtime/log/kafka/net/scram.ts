// SCRAM (RFC 5802, RFC 7677): both sides prove that they know the password without sending it.
import { Buffer } from "node:buffer";
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from "node:crypto";
import { LoginError } from "../protocol/errors.ts";

/** Sends a message and returns the broker's reply. */
export type Step = (text: string) => Promise<string>;

const MECHANISMS = {
  "SCRAM-SHA-256": { hash: "sha256", bytes: 32 },
  "SCRAM-SHA-512": { hash: "sha512", bytes: 64 },
} as const;
/** Fewer rounds would let an impostor guess the password. */
const MIN_ROUNDS = 4_096;
const MAX_ROUNDS = 10_000_000;
/** The header without channel binding. */
const HEADER = "n,,";
const HEADER_BASE64 = "biws";

/** @throws {LoginError} */
export async function scram(
  step: Step,
  mechanism: keyof typeof MECHANISMS,
  username: string,
  password: string,
): Promise<void> {
  const { hash, bytes } = MECHANISMS[mechanism];
  const mac = (key: Buffer, text: string) => createHmac(hash, key).update(text).digest();
  const nonce = randomBytes(18).toString("base64");
  const name = username.replaceAll("=", "=3D").replaceAll(",", "=2C");
  const clientFirst = `n=${name},r=${nonce}`;
  const serverFirst = await step(HEADER + clientFirst);
  const { r: serverNonce = "", s: salt = "", i: roundsText = "" } = attributesOf(serverFirst);
  const rounds = Number(roundsText);
  if (!serverNonce.startsWith(nonce) || serverNonce.length === nonce.length) {
    throw new LoginError("its SCRAM reply has a wrong nonce");
  }
  if (!(rounds >= MIN_ROUNDS && rounds <= MAX_ROUNDS)) {
    throw new LoginError(
      `its SCRAM reply requests ${roundsText} iterations: expected ${MIN_ROUNDS} to ${MAX_ROUNDS}`,
    );
  }
  const salted = await new Promise<Buffer>((resolve, reject) =>
    pbkdf2(
      password.normalize("NFKC"),
      Buffer.from(salt, "base64"),
      rounds,
      bytes,
      hash,
      (error, key) => error === null ? resolve(key) : reject(error),
    )
  );
  const clientKey = mac(salted, "Client Key");
  const storedKey = createHash(hash).update(clientKey).digest();
  const clientLast = `c=${HEADER_BASE64},r=${serverNonce}`;
  const exchange = `${clientFirst},${serverFirst},${clientLast}`;
  const signature = mac(storedKey, exchange);
  const proof = Buffer.from(clientKey.map((byte, i) => byte ^ signature[i]!));
  const serverLast = attributesOf(await step(`${clientLast},p=${proof.toString("base64")}`));
  if (serverLast.e !== undefined) throw new LoginError("user name or password is wrong");
  const expected = mac(mac(salted, "Server Key"), exchange);
  const given = Buffer.from(serverLast.v ?? "", "base64");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw new LoginError("it could not prove that it knows the password: it may be an impostor");
  }
}

function attributesOf(message: string): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(
    message.split(",").map((pair) => [pair.slice(0, 1), pair.slice(2)]),
  );
}
