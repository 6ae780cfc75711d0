// @ts-nocheck: AssemblyScript, which tools/kernels.ts compiles to kernels.wasm
/**
 * All kernels. They trust their arguments: what calls them checks every size and length that a file
 * states, and gives each buffer the room that its kernel names.
 *
 * @module
 */
import { unstuff } from "./entropy.as.ts";
import { copyLuma, stuff } from "./luma.as.ts";
import { decodeHalf, findCodes } from "./mcus.as.ts";
import { across, colours, down, halve, pixels, planes, widen } from "./pixels.as.ts";

export { across, colours, copyLuma, decodeHalf, down, findCodes, halve, pixels };
export { planes, stuff, unstuff, widen };
