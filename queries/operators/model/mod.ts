/**
 * Models on ordered windows.
 *
 * @module
 */
export { type Draft, draftManifest } from "./draft.ts";
export { ManifestError, type ModelManifest, parseManifest, readManifest } from "./manifest.ts";
export { model, type ModelOptions } from "./model.ts";
export { type OnnxFile, type OnnxValue, readOnnx } from "./onnx_file.ts";
export { checkAgainstFile, shapeText } from "./signature.ts";
