/**
 * Models on ordered windows.
 *
 * @module
 */
export { ManifestError, type ModelManifest, parseManifest, readManifest } from "./manifest.ts";
export { model, type ModelOptions } from "./model.ts";
