// Starts headless Chromium for the checks of pages.
import { chromium } from "playwright-core";

/** Return a browser that can only reach the server at `base`: every other host has no address. */
export function launch(executablePath, base) {
  const { hostname } = new URL(base);
  return chromium.launch({
    executablePath,
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
      "--disable-features=LocalNetworkAccessChecks", // a page of another origin frames those of this loopback
      `--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE ${hostname}`,
    ],
  });
}
