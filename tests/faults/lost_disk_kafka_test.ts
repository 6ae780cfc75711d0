/** A broker that comes back with an empty disk for a topic. */
import { Random } from "../support/random.ts";
import { lostDisk } from "./lost_disk.ts";

Deno.test("the disk of a topic is lost: a named stop; opted in, the exact count of lost frames", async () => {
  await lostDisk("the disk is emptied", Random.fromEnvironment(3));
});
