// Parts of Framelane whose packages an installation may lack.
import { messageOf } from "./errors.ts";

/** A part that `framelane install` installs, and the package that it rests on. */
const PACKAGES = { images: "sharp", video: "node-av" } as const;

/**
 * Loads a module that needs a part.
 *
 * @throws {Error} naming the command that installs the part, where its package is missing.
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
