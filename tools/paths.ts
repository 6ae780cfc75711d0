/** The project's folder, and path functions for the tools. @module */
import { fileURLToPath } from "node:url";

export { basename, dirname, join, relative, resolve } from "node:path";

export const fromFileUrl = (url: URL): string => fileURLToPath(url);

/** The project's folder, without a trailing slash. */
export const ROOT = fileURLToPath(new URL("..", import.meta.url)).replace(/[\\/]$/, "");
