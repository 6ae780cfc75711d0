/** Paths, from Node's built-in module. @module */
export { dirname, isAbsolute, join, resolve } from "node:path";
export { fileURLToPath as fromFileUrl } from "node:url";
