// English and Chinese have the same keys, and every key that the code or a permission names exists.
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const src = join(dirname(fileURLToPath(import.meta.url)), "..", "src");
const LOCALES = ["en", "zh-CN"];

function flatten(messages, path = "", out = new Map()) {
  for (const [key, value] of Object.entries(messages)) {
    const name = path ? `${path}.${key}` : key;
    if (typeof value === "object" && value !== null) flatten(value, name, out);
    else out.set(name, value);
  }
  return out;
}

const problems = [];
const all = {};
for (const locale of LOCALES) {
  all[locale] = new Map();
  const files = globSync([`i18n/${locale}.ts`, `views/*/locales/${locale}.ts`, `frame/locales/${locale}.ts`], { cwd: src });
  for (const file of files) {
    const messages = (await import(pathToFileURL(join(src, file)).href)).default;
    for (const [key, text] of flatten({ ...messages, sentences: {} })) {
      if (all[locale].has(key)) problems.push(`${file}: ${key} is in another file too`);
      all[locale].set(key, text);
    }
  }
}
for (const [a, b] of [LOCALES, [...LOCALES].reverse()])
  for (const key of all[a].keys()) if (!all[b].has(key)) problems.push(`${b} lacks ${key}`);

const USED = /(?:\bt|\$t|labelKey:|titleKey:)\s*\(?\s*["'`]([a-zA-Z][\w-]*(?:\.[\w-]+)+)["'`]/g;
for (const file of globSync(["**/*.vue", "**/*.ts"], { cwd: src })) {
  for (const [, key] of readFileSync(join(src, file), "utf8").matchAll(USED))
    if (!all.en.has(key)) problems.push(`${file} names ${key}, which no language has`);
}
// Every permission and every group of them has a name.
const permissions = readFileSync(join(src, "..", "..", "..", "callcenter", "auth", "permissions.py"), "utf8");
for (const [, noun, verb] of permissions.matchAll(/"([a-z]+)\.([a-z_]+)"/g))
  for (const key of [`permission_group.${noun}`, `permission.${noun}.${verb}`]) if (!all.en.has(key)) problems.push(`no language has ${key}`);
if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exit(1);
}
