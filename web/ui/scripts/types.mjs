// The API's types, from the application itself: python -m web.openapi → src/api/schema.d.ts (not kept in git).
import { execFileSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import openapiTS, { astToString } from "openapi-typescript";

const ui = join(dirname(fileURLToPath(import.meta.url)), "..");
const root = join(ui, "..", "..");
const own = join(root, ".venv", "bin", "python");
const python = process.env.PYTHON ?? (existsSync(own) ? own : "python3");
const document = JSON.parse(execFileSync(python, ["-m", "web.openapi"], { cwd: root, maxBuffer: 64 << 20 }).toString());
const nodes = await openapiTS(document, { defaultNonNullable: false });
writeFileSync(join(ui, "src", "api", "schema.d.ts"), astToString(nodes));
