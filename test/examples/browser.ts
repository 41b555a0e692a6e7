// A headless Chromium, from the optional package @sparticuz/chromium, that opens one page and reports what it shows.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { root } from "../docs/page.ts";
import type { Need } from "../needs.ts";

const packageFolder = join(root, "node_modules/@sparticuz/chromium");

/** Whether this machine can have it. */
export const chromium = need();

function need(): Need {
  const isThere = process.platform === "linux" && process.arch === "x64" && existsSync(packageFolder);
  return { absent: !isThere, note: isThere ? "" : " (skipped: @sparticuz/chromium, for Linux x64, is not installed)" };
}

const types: Readonly<Record<string, string>> = { ".html": "text/html; charset=utf-8", ".js": "text/javascript" };

/** A page that shows another one in a frame and reports its text as soon as `settled` matches it. */
const watcher = (settled: RegExp): string => `<!doctype html><iframe src="/index.html"></iframe><script>
  const frame = document.querySelector("iframe");
  setInterval(() => {
    const text = frame.contentDocument?.querySelector("body")?.textContent ?? "";
    if (${settled}.test(text)) fetch("/report", { method: "POST", body: text });
  }, 100);
</script>`;

/** Serves `files` (a name and its text) and resolves with the text of index.html once it matches. Rejects where no browser starts. */
export async function show(
  files: Readonly<Record<string, string>>,
  settled: RegExp,
  milliseconds: number,
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "touchstone-browser-"));
  let browser: ChildProcess | undefined;
  let server: Server | undefined;
  try {
    return await new Promise<string>((resolve, reject) => {
      setTimeout(() => reject(new Error(`the page showed nothing within ${milliseconds} ms`)), milliseconds).unref();
      server = createServer((request, response) => {
        const path = (request.url ?? "/").slice(1);
        if (path === "report") {
          let text = "";
          request.on("data", (chunk) => (text += String(chunk))).on("end", () => resolve(text));
          response.end();
          return;
        }
        const body = path === "watcher.html" ? watcher(settled) : files[path];
        response.writeHead(body === undefined ? 404 : 200, { "content-type": types[extname(path)] ?? "text/plain" });
        response.end(body);
      });
      server.listen(0, "127.0.0.1", () => {
        const { port } = (server as Server).address() as AddressInfo;
        try {
          browser = start(`http://localhost:${port}/watcher.html`, folder);
        } catch (error) {
          reject(error as Error);
          return;
        }
        browser.on("error", reject).on("exit", (code) => reject(new Error(`Chromium ended with ${code}`)));
      });
    });
  } finally {
    if (browser !== undefined) await end(browser);
    server?.close();
    server?.closeAllConnections();
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

/** Ends it with the processes that it started. */
async function end(browser: ChildProcess): Promise<void> {
  browser.removeAllListeners();
  if (browser.pid === undefined || browser.exitCode !== null) return;
  const ended = new Promise((resolve) => browser.once("exit", resolve));
  process.kill(-browser.pid, "SIGKILL");
  await ended;
}

export const chromiumFlags = [
  "--headless=shell",
  "--no-sandbox",
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
] as const;

/** Unpacks Chromium and the libraries that a bare machine lacks into the folder: its path, and what it is started with. */
export function unpackChromium(folder: string): { readonly path: string; readonly env: NodeJS.ProcessEnv } {
  const unpack = 'import("@sparticuz/chromium").then(({ default: c }) => c.executablePath())';
  const env = { ...process.env, TMPDIR: folder, AWS_LAMBDA_JS_RUNTIME: "nodejs22.x" }; // the libraries come with Lambda's
  execFileSync(process.execPath, ["-e", unpack], { env, cwd: root, stdio: "ignore" });
  const libraries = { LD_LIBRARY_PATH: join(folder, "al2023", "lib"), FONTCONFIG_PATH: join(folder, "fonts") };
  return { path: join(folder, "chromium"), env: { ...env, ...libraries } };
}

function start(url: string, folder: string): ChildProcess {
  const { path, env } = unpackChromium(folder);
  return spawn(path, [...chromiumFlags, `--user-data-dir=${join(folder, "user")}`, url], {
    stdio: "ignore",
    detached: true, // a group of its own, so that all of it can be ended
    env,
  });
}
