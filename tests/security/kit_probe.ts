/** Run with the flags of the Kafka starter: prepares Kafka where nothing is there yet. */
import { kafkaKit } from "../../tools/kafka/kit.ts";

const cacheDir = await Deno.makeTempDir({ dir: ".cache", prefix: "permissions-" });
try {
  await kafkaKit({ cacheDir });
} finally {
  await Deno.remove(cacheDir, { recursive: true });
}
