// Model files and manifests, without native code.
export { type Draft, draftManifest } from "./draft.ts";
export {
  ManifestError,
  type ModelManifest,
  parseManifest,
  readManifest,
  staysBelow,
} from "./manifest.ts";
export { type OnnxFile, type OnnxValue, readOnnx } from "./onnx_file.ts";
export { checkAgainstFile, shapeText } from "./signature.ts";
