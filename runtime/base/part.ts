// Parts of Framelane whose packages may not be installed.
import { messageOf } from "./errors.ts";

/** Each part that `framelane install` installs, and the package it needs. */
const PACKAGES = { images: "sharp", video: "node-av" } as const;

/**
 * Loads a module that needs a part.
 *
 * @throws {Error} naming the command that installs the part if its package is missing
 */
export async function loadPart<T>(
  part: keyof typeof PACKAGES,
  load: () => Promise<T>,
): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const name = PACKAGES[part];
    const missing = new RegExp(`(not find|not found|not load).*\\b${name}\\b`, "is");
    if (!missing.test(messageOf(error))) throw error;
    throw new Error(
      `Cannot use ${part} without the package ${name}: install it with npx framelane install ${part}`,
    );
  }
}
