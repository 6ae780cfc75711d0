import { withBrowser } from "./tests/viewer/browser.ts";
const url = Deno.args[0]!;
const shot = async (page: any, name: string) => {
  await page.screenshot({ path: `/tmp/wall_shots/${name}.png` });
};
await withBrowser(async (open) => {
  const page = await open(url, { viewport: { width: 1440, height: 900 } });
  await page.waitForTimeout(3000);
  await shot(page, "demo_wall");
  await page.keyboard.press("a");
  await page.waitForTimeout(1200);
  await shot(page, "demo_alerts");
  await page.keyboard.press("a");
  await page.locator(".tile, [data-lane]").first().dblclick();
  await page.waitForTimeout(2500);
  await shot(page, "demo_focus");
  await page.keyboard.press(" ");
  await page.waitForTimeout(1500);
  for (let i = 0; i < 5; i++) {
    await page.keyboard.press(",");
    await page.waitForTimeout(150);
  }
  await page.waitForTimeout(500);
  await shot(page, "demo_paused");
  await page.keyboard.press("c");
  await page.waitForTimeout(600);
  await shot(page, "demo_clip");
  await page.keyboard.press("Escape");
  await page.keyboard.press("?");
  await page.waitForTimeout(500);
  await shot(page, "demo_keys");
  await page.keyboard.press("Escape");
  const light = await open(url, { viewport: { width: 1440, height: 900 }, colorScheme: "light" });
  await light.waitForTimeout(2500);
  await shot(light, "demo_light");
  const phone = await open(url, {
    viewport: { width: 390, height: 844 },
    deviceScaleFactor: 2,
    hasTouch: true,
    isMobile: true,
  });
  await phone.waitForTimeout(2500);
  await shot(phone, "demo_phone");
  const q = await open(url + "queries/objects-2", { viewport: { width: 1440, height: 900 } });
  await q.waitForTimeout(2500);
  await shot(q, "demo_query");
  const qp = await open(url + "queries/motion-0", {
    viewport: { width: 390, height: 844 },
    isMobile: true,
    hasTouch: true,
  });
  await qp.waitForTimeout(2000);
  await shot(qp, "demo_query_phone");
});
