/**
 * A sink that writes down what it gets, for each partition in a file of FRAMELANE_TEST_SEEN: sequence
 * number, SHA-256 of the bytes, milliseconds since the capture. While that folder holds a file
 * `slow`, it takes FRAMELANE_TEST_SLOW_MS for each frame of partition 0.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { display, foreach, type Frame, query } from "../../../runtime/mod.ts";

const ms = Number(Deno.env.get("FRAMELANE_TEST_SLOW_MS") ?? "100");
const folder = Deno.env.get("FRAMELANE_TEST_SEEN")!;

export default query("slow")
  .readStream({ startingOffsets: "earliest" })
  .writeStream(
    foreach<Frame>(async ({ partition, headers, timestamp, value }) => {
      if (partition === 0 && existsSync(`${folder}/slow`)) {
        await new Promise<void>((resolve) => setTimeout(resolve, ms));
      }
      const sum = createHash("sha256").update(value).digest("hex");
      const line = `${headers["seq"]} ${sum} ${Date.now() - timestamp}\n`;
      Deno.writeTextFileSync(`${folder}/${partition}`, line, { append: true });
    }),
    display(),
  );
