/** Run with the flags of a task: loads the library that scales the wall's pictures. */
await import("sharp");
