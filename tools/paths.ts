/** Places of the project, and the path functions the tools use. @module */
import { fileURLToPath } from "node:url";

export { basename, dirname, join, relative, resolve } from "node:path";

export const fromFileUrl = (url: URL): string => fileURLToPath(url);

/** The project's folder, without a slash at its end. */
export const ROOT = fileURLToPath(new URL("..", import.meta.url)).replace(/[\\/]$/, "");
