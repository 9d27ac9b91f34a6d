/** The parts of the OpenAPI file that the page shows, and how its schemas become lines of fields. */

export interface Schema {
  $ref?: string;
  allOf?: Schema[];
  type?: string;
  format?: string;
  enum?: unknown[];
  items?: Schema;
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  required?: string[];
  nullable?: boolean;
  description?: string;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
}

interface Body {
  content?: Record<string, { schema?: Schema }>;
}

export interface Parameter {
  name: string;
  in: string;
  required?: boolean;
  description?: string;
  schema?: Schema;
}

export interface Operation {
  summary?: string;
  description?: string;
  tags?: string[];
  parameters?: Parameter[];
  requestBody?: Body;
  responses?: Record<string, Body & { description?: string; $ref?: string }>;
  "x-permissions"?: string[];
  "x-in-person"?: boolean;
  security?: object[];
}

export interface OpenApi {
  info: { title: string; "x-token-rate"?: { per_s: number; burst: number } };
  tags?: { name: string; description?: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

/** One field of a body: `depth` for its place in the tree. */
export interface Line {
  name: string;
  kind: string;
  required: boolean;
  text: string;
  depth: number;
}

const DEEPEST = 4;
const METHODS = ["get", "post", "put", "patch", "delete"];

export interface Call {
  id: string;
  method: string;
  path: string;
  operation: Operation;
}

/** All operations by tag, in the order of the file. */
export function byTag(document: OpenApi): { tag: string; text: string; calls: Call[] }[] {
  const groups = new Map<string, Call[]>();
  for (const [path, item] of Object.entries(document.paths))
    for (const method of METHODS) {
      const operation = item[method];
      if (!operation) continue;
      const tag = operation.tags?.[0] ?? "";
      groups.set(tag, [...(groups.get(tag) ?? []), { id: `${method} ${path}`, method, path, operation }]);
    }
  const texts = new Map(document.tags?.map((x) => [x.name, x.description ?? ""]));
  return [...groups].map(([tag, calls]) => ({ tag, text: texts.get(tag) ?? "", calls }));
}

function followed(schema: Schema, document: OpenApi): Schema {
  const reference = schema.$ref ?? schema.allOf?.find((s) => s.$ref)?.$ref;
  if (!reference) return schema;
  return { ...document.components.schemas[reference.split("/").pop() ?? ""], nullable: schema.nullable, description: schema.description };
}

export function kindOf(schema: Schema, document: OpenApi): string {
  const own = followed(schema, document);
  let kind = own.format ?? own.type ?? "any";
  if (own.type === "array") kind = `[ ${kindOf(own.items ?? {}, document)} ]`;
  if (own.enum) kind = own.enum.map((v) => JSON.stringify(v)).join(" | ");
  return own.nullable ? `${kind} | null` : kind;
}

function notes(schema: Schema): string {
  const parts = [schema.description ?? ""];
  if (schema.minimum !== undefined || schema.maximum !== undefined) parts.push(`${schema.minimum ?? "…"} – ${schema.maximum ?? "…"}`);
  if (schema.maxLength !== undefined) parts.push(`≤ ${schema.maxLength}`);
  if (schema.default !== undefined) parts.push(`= ${JSON.stringify(schema.default)}`);
  return parts.filter(Boolean).join(" · ");
}

/** The fields of a body, each nested one after the field it belongs to. */
export function lines(schema: Schema | undefined, document: OpenApi, depth = 0): Line[] {
  if (!schema || depth > DEEPEST) return [];
  const own = followed(schema, document);
  if (own.type === "array") return lines(own.items, document, depth);
  return Object.entries(own.properties ?? {}).flatMap(([name, field]) => [
    { name, kind: kindOf(field, document), required: own.required?.includes(name) ?? false, text: notes(field), depth },
    ...lines(field, document, depth + 1),
  ]);
}

export function bodyOf(body: Body | undefined): Schema | undefined {
  return Object.values(body?.content ?? {})[0]?.schema;
}

/** The first answer that is a success: its status and body. */
export function success(operation: Operation): { status: string; schema: Schema | undefined } | null {
  const found = Object.entries(operation.responses ?? {}).filter(([status]) => status.startsWith("2"))[0];
  return found ? { status: found[0], schema: bodyOf(found[1]) } : null;
}

/** A request to try in a shell. */
export function curl(call: Call, origin: string): string {
  const words = ["curl", call.method === "get" ? "" : `-X ${call.method.toUpperCase()}`, '-H "Authorization: Bearer $TOKEN"'];
  if (call.operation.requestBody) words.push("-H 'Content-Type: application/json' -d @body.json");
  return [...words.filter(Boolean), `"${origin}${call.path}"`].join(" ");
}
