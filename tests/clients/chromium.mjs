// Chromium for the tests of pages: of npm's package, unpacked once into the cache, without root.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const PACKAGE = fileURLToPath(new URL("../../node_modules/@sparticuz/chromium", import.meta.url));
const PARTS = ["chromium.br", "fonts.tar.br", "swiftshader.tar.br", "al2023.tar.br"];

async function unpacked() {
  const { version } = JSON.parse(readFileSync(join(PACKAGE, "package.json"), "utf8"));
  const home = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  const folder = join(home, "comptoir", "chromium", version);
  if (existsSync(folder)) return folder;
  // Whole or not there: a test that is killed meanwhile leaves the next one nothing that is half.
  const aside = `${folder}.${process.pid}`;
  mkdirSync(aside, { recursive: true });
  // The package unpacks into the folder of temporary files.
  const before = process.env.TMPDIR;
  process.env.TMPDIR = aside;
  const { inflate } = await import("@sparticuz/chromium");
  for (const part of PARTS) await inflate(join(PACKAGE, "bin", part));
  delete process.env.TMPDIR;
  if (before !== undefined) process.env.TMPDIR = before;
  try {
    renameSync(aside, folder);
  } catch {
    rmSync(aside, { recursive: true });
  }
  return folder;
}

// The package's own settings look for its fonts at one fixed place; without a font, no text has any size.
function fontSettings(folder) {
  const file = join(folder, "comptoir-fonts.conf");
  if (existsSync(file)) return file;
  const places = `<dir>${join(folder, "fonts")}</dir><cachedir>${join(folder, "fonts-cache")}</cachedir>`;
  const aside = `${file}.${process.pid}`;
  writeFileSync(aside, `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>${places}</fontconfig>`);
  renameSync(aside, file);
  return file;
}

// Returns a browser in that language of the machine; close it.
export async function launched(language = "en_GB.UTF-8") {
  const folder = await unpacked();
  const executablePath = join(folder, "chromium");
  const env = { ...process.env, FONTCONFIG_FILE: fontSettings(folder), LANG: language };
  if (execFileSync("ldd", [executablePath]).includes("not found")) {
    env.LD_LIBRARY_PATH = join(folder, "al2023", "lib");
  }
  // A container's root has no sandbox; nothing but the project's own pages is opened.
  return chromium.launch({ executablePath, env, args: ["--no-sandbox", "--disable-gpu"] });
}
