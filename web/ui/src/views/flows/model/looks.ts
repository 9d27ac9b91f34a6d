/** What the canvas shows of each node, from the graph, the verbs, the findings and whatever lies over it. */
import { SquareFunction } from "lucide-vue-next";
import type { Schemas } from "@/api/client";
import { wireId, wiresOf, type Flow } from "./graph";
import type { Catalogue } from "./verbs";
import type { Finding, Words } from "./words";
import type { NodeData, Tone } from "../canvas/types";

export interface Over {
  findings?: readonly Finding[];
  figures?: ReadonlyMap<string, Schemas["FlowNodeFigures"]>;
  tones?: ReadonlyMap<string, { tone: Tone; label: string }>;
  /** Ways that are drawn though the node has them no more. */
  moreWays?: ReadonlyMap<string, readonly string[]>;
}

export function looksOf(flow: Flow, catalogue: Catalogue, words: Words, over: Over = {}): Map<string, NodeData> {
  const byNode = new Map<string, Finding[]>();
  for (const f of over.findings ?? []) byNode.set(f.node, [...(byNode.get(f.node) ?? []), f]);
  return new Map(
    flow.nodes.map((node) => {
      const verb = catalogue.verbs.get(node.verb);
      const found = byNode.get(node.id) ?? [];
      const tone = over.tones?.get(node.id);
      const figures = over.figures?.get(node.id);
      const names = catalogue.waysOf(node).map((w) => w.name);
      const all = [...names, ...[...Object.keys(node.ways), ...(over.moreWays?.get(node.id) ?? [])].filter((w, i, l) => !names.includes(w) && l.indexOf(w) === i)];
      return [
        node.id,
        {
          icon: verb?.icon ?? SquareFunction,
          group: verb?.group ?? "decide",
          title: catalogue.titleOf(node),
          verb: verb?.label ?? node.verb,
          summary: words.summary(node),
          start: flow.start === node.id,
          ways: all.map((name) => ({ name, label: catalogue.wayLabel(node, name), taken: name in node.ways, count: figures?.ways[name] })),
          problems: found.map((f) => words.finding(f, flow.nodes)),
          serious: found.some((f) => f.severity === "error"),
          tone: tone?.tone,
          toneLabel: tone?.label,
          figures: figures && { reached: figures.reached, left: figures.left, average_s: figures.average_s },
        },
      ];
    }),
  );
}

/** A node that a call has passed, and by which ways it may have left it; without them: by any that leads on. */
export interface Step {
  id: string;
  ways?: readonly string[];
}

/** Lines that a call went along. */
export function passedWires(flow: Flow, path: readonly Step[]): Map<string, Tone> {
  const wires = wiresOf(flow);
  const passed = path.slice(1).flatMap((next, i) => {
    const last = path[i];
    return wires.filter((w) => w.from === last?.id && w.to === next.id && (last.ways?.includes(w.way) ?? true));
  });
  return new Map(passed.map((w) => [wireId(w.from, w.way), "passed"]));
}
