/**
 * Models on ordered windows.
 *
 * @module
 */
export * from "./files.ts";
export { model, type ModelOptions } from "./model.ts";
