/** Nodes and findings in the words that people read. */
import { useI18n } from "vue-i18n";
import type { Schemas } from "@/api/client";
import type { FlowNode } from "./graph";
import { matters, type Catalogue } from "./verbs";

export type Finding = Schemas["FlowFinding"];
type Options = Schemas["FlowOptions"];

const SHORT = 90;

/** The prompts or texts of a setting as one line. */
function speech(value: unknown): string {
  if (typeof value === "string") return value;
  if (value === null || typeof value !== "object") return "";
  const first = Object.values(value as Record<string, unknown>).find((v) => (Array.isArray(v) ? v.length > 0 : Boolean(v)));
  if (!Array.isArray(first)) return typeof first === "string" ? first : "";
  return first.map(String).map((p) => (p.startsWith("say:") ? p.slice(p.indexOf(":", "say:".length) + 1) : p)).filter(Boolean).join(" · ");
}

export interface Words {
  /** What a node says or does, in one line. */
  summary: (node: FlowNode) => string;
  finding: (finding: Finding, nodes: readonly FlowNode[]) => string;
}

export function useWords(catalogue: () => Catalogue, options: () => Options | null): Words {
  const { t, te } = useI18n();

  function named(list: keyof Options, value: unknown): string {
    if (typeof value !== "number") return "";
    return (options()?.[list] ?? []).find((o) => o.id === value)?.name ?? "";
  }

  function prompt(text: string): string {
    return text.replace(/prompt:(\d+)/g, (all, id: string) => named("prompts", Number(id)) || all).replace(/\bsilence\b/, t("flows.prompt.silence"));
  }

  function summary(node: FlowNode): string {
    const spec = catalogue().verbs.get(node.verb);
    if (!spec) return "";
    const parts: string[] = [];
    for (const s of spec.settings) {
      const value = node.settings[s.name];
      if (!matters(s, (name) => node.settings[name] ?? spec.settings.find((o) => o.name === name)?.default)) continue;
      if (s.kind === "prompts" || s.kind === "texts") {
        if (parts.length === 0) parts.push(prompt(speech(value)));
      } else if (s.kind === "queue" || s.kind === "flow" || s.kind === "agent") parts.push(named(`${s.kind}s`, value));
      else if (s.kind === "variable" && value) parts.push(`→ ${String(value)}`);
      else if (s.kind === "assignments" && Array.isArray(value)) parts.push((value as { variable: string; expression: string }[]).map((a) => `${a.variable} = ${a.expression}`).join(", "));
      else if ((s.kind === "number" || s.name === "url") && value) parts.push(String(value));
      else if (s.name === "language" && typeof value === "string" && te(`flows.language.${value}`)) parts.push(t(`flows.language.${value}`));
    }
    const text = parts.filter(Boolean).join(" ").trim();
    return text.length > SHORT ? `${text.slice(0, SHORT)}…` : text;
  }

  function finding(found: Finding, nodes: readonly FlowNode[]): string {
    const key = `flows.finding.${found.code}`;
    if (!te(key)) return found.message;
    const node = nodes.find((n) => n.id === found.node);
    const params = { ...found.params } as Record<string, string>;
    if (params.field) params.field = catalogue().settingLabel(node?.verb ?? "", params.field);
    if (params.way && node) params.way = catalogue().wayLabel(node, params.way);
    return t(key, params);
  }

  return { summary, finding };
}

/** Where a call goes (`callcenter/calls/destination.py`) in words: "a queue Sales". `what`: its id or number. */
export function useDestinations(options: () => Options | null): (kind: string, what: string) => string {
  const { t, te } = useI18n();
  const lists: Record<string, keyof Options> = { queue: "queues", menu: "flows", agent: "agents" };
  return (kind, what) => {
    const list = lists[kind];
    const name = list ? options()?.[list].find((o) => String(o.id) === what)?.name : what;
    return [te(`flows.try.to.${kind}`) ? t(`flows.try.to.${kind}`) : kind, name].filter(Boolean).join(" ");
  };
}
