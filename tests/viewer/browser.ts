// A real browser for the viewer's tests.
import assert from "node:assert/strict";
import fs from "node:fs";
import { createRequire } from "node:module";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { CODE_BITS } from "../support/fake_lanes.ts";
import { PATIENCE_MS } from "../support/until.ts";

const CHROMIUM = "/usr/bin/chromium";
const AXE = Deno.readTextFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"));

/**
 * Playwright looks into /proc at its start, to see whether it is on Windows, and Deno lets nobody
 * without all permissions look there: meanwhile it finds nothing there.
 */
async function loadPlaywright(): Promise<typeof import("playwright-core")> {
  const existsSync = fs.existsSync;
  fs.existsSync = (path) => !String(path).startsWith("/proc/") && existsSync(path);
  try {
    return await import("playwright-core");
  } finally {
    fs.existsSync = existsSync;
  }
}

const { chromium } = await loadPlaywright();

/** Opens pages of one browser; after `body` every page must have a clean console. */
export async function withBrowser(
  body: (open: (url: string, options?: BrowserContextOptions) => Promise<Page>) => Promise<void>,
): Promise<void> {
  const browser: Browser = await chromium.launch({
    executablePath: CHROMIUM,
    timeout: PATIENCE_MS,
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
  const complaints: string[] = [];
  try {
    await body(async (url, options = {}) => {
      const context = await browser.newContext({
        viewport: { width: 1280, height: 800 },
        colorScheme: "dark",
        ...options,
      });
      const page = await context.newPage();
      page.setDefaultTimeout(PATIENCE_MS);
      page.on("console", (message) => {
        if (message.type() === "error" || message.type() === "warning") {
          complaints.push(`${message.type()}: ${message.text()} (${message.location().url})`);
        }
      });
      page.on("pageerror", (error) => complaints.push(`exception: ${error.message}`));
      await page.goto(url);
      return page;
    });
  } finally {
    await browser.close();
  }
  assert.deepEqual(complaints.filter((each) => !EXPECTED.test(each)), []);
}

/** What a browser says of a server that was stopped on purpose, and of a clip that is not there. */
const EXPECTED = /ERR_CONNECTION_REFUSED|404 .*\/api\/clip|WebSocket connection to .* failed/;

/** The WebSockets that a page has open. */
export function socketsOf(page: Page): ReadonlySet<unknown> {
  const open = new Set<unknown>();
  page.on("websocket", (socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
  });
  return open;
}

/** What axe-core finds on a page. */
export async function violations(page: Page): Promise<string[]> {
  // From outside the page: its policy would not let a script in.
  await page.evaluate(AXE);
  const results = await page.evaluate("axe.run(document, { resultTypes: ['violations'] })") as {
    violations: { id: string; nodes: { html: string; failureSummary: string }[] }[];
  };
  return results.violations
    .map(({ id, nodes }) => `${id}: ${nodes[0]?.html} ${nodes[0]?.failureSummary}`);
}

/** The offset that is really on the screen: read from the bar code in the tile's pixels. */
export async function codeOf(page: Page, lane: string): Promise<number> {
  return await codeIn(page, `[data-lane="${lane}"] canvas.screen`);
}

/** The same of a canvas or an image. */
export async function codeIn(page: Page, selector: string): Promise<number> {
  return await page.evaluate(([selector, bits]) => {
    // deno-lint-ignore no-explicit-any
    const { document } = globalThis as any;
    const screen = document.querySelector(selector);
    const copy = document.createElement("canvas");
    copy.width = screen.naturalWidth ?? screen.width;
    copy.height = screen.naturalHeight ?? screen.height;
    const context = copy.getContext("2d", { willReadFrequently: true });
    context.drawImage(screen, 0, 0);
    const row = context.getImageData(0, 6, copy.width, 1).data;
    let code = 0;
    for (let bit = 0; bit < (bits as number); bit++) {
      const x = Math.floor(((bit + 0.5) * copy.width) / (bits as number));
      code = code * 2 + (row[x * 4] > 127 ? 1 : 0);
    }
    return code;
  }, [selector, CODE_BITS] as const);
}

/** The offset that a tile says it shows; −1 before its first picture. */
export async function offsetOf(page: Page, lane: string): Promise<number> {
  const offset = await page.locator(`[data-lane="${lane}"]`).getAttribute("data-offset");
  return offset === null ? -1 : Number(offset);
}
