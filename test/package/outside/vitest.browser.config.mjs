// vitest's browser mode: the suite runs inside Chromium, whose path and flags come from whoever starts it.
import { playwright } from "@vitest/browser-playwright";
import { defineConfig } from "vitest/config";

const launchOptions = { executablePath: process.env.CHROMIUM, args: process.env.CHROMIUM_FLAGS?.split(" ") ?? [] };

export default defineConfig({
  test: {
    include: ["kernel.browser.mjs"],
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      provider: playwright({ launchOptions }),
      instances: [{ browser: "chromium" }],
    },
  },
});
