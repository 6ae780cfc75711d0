/** The project's folder, and path functions for the tools. @module */
import { fileURLToPath } from "node:url";

export { basename, dirname, join, relative, resolve } from "node:path";

/** The project's folder, without a trailing slash. */
export const ROOT = fileURLToPath(new URL("..", import.meta.url)).replace(/[\\/]$/, "");
