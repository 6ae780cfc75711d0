/** Run with the flags of a task: loads every native library that Framelane uses, and uses it. */
import { decodeImage } from "../../runtime/image/mod.ts";

await import("sharp");
await import("node-av");
await import("onnxruntime-node");
const { openLibrary } = await import("../../runtime/image/jpeg_library.ts");
if (openLibrary({ tj3Init: { parameters: ["i32"], result: "pointer" } }) === undefined) {
  Deno.exit(3);
}
await decodeImage(Deno.readFileSync("clips/astronaut.jpg"), 1);
