// Models on ordered windows.
export { type Draft, draftManifest } from "./draft.ts";
export {
  ManifestError,
  mayName,
  type ModelManifest,
  namesOf,
  parseManifest,
  readManifest,
} from "./manifest.ts";
export { type OnnxFile, type OnnxValue, readOnnx, staysBelow } from "./onnx_file.ts";
export { checkAgainstFile, shapeText } from "./signature.ts";
export { checkModel, Inference } from "./inference.ts";
export { model, type ModelOptions } from "./model.ts";
export { type Device, DEVICES } from "./device_names.ts";
export { listDevices } from "./devices.ts";
