// ONNX Runtime, loaded with the first model.
import { createRequire } from "node:module";
import type * as Onnx from "onnxruntime-node";

const NAME = "onnxruntime-node";
const require = createRequire(import.meta.url);

/** @throws {Error} naming the command that installs it, where it is missing. */
export function loadOnnx(): typeof Onnx {
  try {
    return require(NAME);
  } catch (error) {
    if ((error as { code?: string }).code !== "MODULE_NOT_FOUND") throw error;
    throw new Error(
      `Cannot use models without the package ${NAME}: install it with npx framelane install models`,
    );
  }
}
