/** Which variables a menu sets, and where. */
import type { Flow, FlowNode } from "./graph";
import type { Catalogue } from "./verbs";

export interface VariableInfo {
  name: string;
  setBy: FlowNode[];
}

function setBy(node: FlowNode, catalogue: Catalogue): string[] {
  return (catalogue.verbs.get(node.verb)?.settings ?? []).flatMap((s): string[] => {
    const value = node.settings[s.name];
    if (s.kind === "variable") return typeof value === "string" && value ? [value] : [];
    if (s.kind === "fields" && value && typeof value === "object") return Object.keys(value);
    if (s.kind === "assignments" && Array.isArray(value)) return (value as { variable?: string }[]).map((a) => a.variable ?? "").filter(Boolean);
    return [];
  });
}

export function setVariables(flow: Flow, catalogue: Catalogue): VariableInfo[] {
  const found = new Map<string, FlowNode[]>();
  for (const node of flow.nodes) for (const name of new Set(setBy(node, catalogue))) found.set(name, [...(found.get(name) ?? []), node]);
  return [...found].map(([name, nodes]) => ({ name, setBy: nodes })).sort((a, b) => a.name.localeCompare(b.name));
}
