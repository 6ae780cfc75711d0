import { codeIn, withBrowser } from "./browser.ts";
import { until, withViewer } from "./kit.ts";

Deno.test("a camera's MJPEG plays in a browser, picture after picture", async () => {
  await withViewer({ lanes: { count: 2 } }, async (viewer, lanes) => {
    lanes.run(10);
    await withBrowser(async (open) => {
      const page = await open(viewer.url);
      // As another page of the same origin would embed it, without any script of the wall's.
      await page.route(
        "**/wall_page.ts",
        (route) => route.fulfill({ contentType: "text/javascript", body: "" }),
      );
      await page.reload();
      await page.evaluate(() => {
        // deno-lint-ignore no-explicit-any
        const { document } = globalThis as any;
        const image = document.createElement("img");
        image.id = "camera";
        image.src = "cam/2";
        document.body.replaceChildren(image);
      });
      const shown = () => codeIn(page, "#camera");
      await until(async () => {
        const size = await page.locator("#camera").evaluate((image) =>
          (image as unknown as { naturalWidth: number }).naturalWidth
        );
        return size > 0;
      }, "the first picture is there");
      const first = await shown();
      await until(async () => await shown() >= first + 5, "it continues");
    });
  });
});
