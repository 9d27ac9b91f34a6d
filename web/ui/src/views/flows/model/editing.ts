/** What hands do to the graph, by mouse, keys and buttons. Every deed is one step of undo. */
import { computed, ref, type ComputedRef, type Ref } from "vue";
import type { History } from "./history";
import * as graph from "./graph";
import { GRID, type Flow, type FlowNode, type Point } from "./graph";

const MARK = "callcenter-flow-nodes";
/** A new node's distance from the one it follows, pixels. */
const ASIDE = 320;

export interface Editing {
  selected: Ref<string[]>;
  wires: Ref<string[]>;
  /** The one node that is chosen, if one is. */
  current: ComputedRef<FlowNode | undefined>;
  add: (verb: string, settings: Record<string, unknown>, at: Point, from?: { from: string; way: string }) => string;
  remove: () => void;
  selectAll: () => void;
  nudge: (key: string, far: boolean) => boolean;
  copyText: () => string;
  paste: (text: string, at?: Point) => boolean;
  duplicate: () => void;
  change: (id: string, change: Partial<Omit<FlowNode, "id">>, kind: string) => void;
  apply: (next: Flow, kind?: string) => void;
  /** Right of the node, for one that follows it. */
  beside: (id: string) => Point | undefined;
}

const ARROWS: Record<string, Point> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

export function useEditing(history: History): Editing {
  const selected = ref<string[]>([]);
  const wires = ref<string[]>([]);
  const flow = history.present;
  const current = computed(() => (selected.value.length === 1 ? graph.nodeOf(flow.value, selected.value[0] ?? "") : undefined));

  function add(verb: string, settings: Record<string, unknown>, at: Point, from?: { from: string; way: string }): string {
    const { flow: next, id } = graph.addNode(flow.value, verb, settings, at);
    history.apply(from ? graph.connect(next, from.from, from.way, id) : next);
    selected.value = [id];
    return id;
  }

  function remove(): void {
    let next = flow.value;
    for (const wire of graph.wiresOf(next)) if (wires.value.includes(wire.id)) next = graph.disconnect(next, wire.from, wire.way);
    if (selected.value.length > 0) next = graph.removeNodes(next, selected.value);
    selected.value = [];
    wires.value = [];
    history.apply(next);
  }

  function nudge(key: string, far: boolean): boolean {
    const way = ARROWS[key];
    if (!way || selected.value.length === 0) return false;
    const step = far ? GRID * 4 : GRID;
    history.apply(graph.shifted(flow.value, selected.value, { x: way.x * step, y: way.y * step }), `nudge ${selected.value.join()}`);
    return true;
  }

  function copyText(): string {
    return selected.value.length === 0 ? "" : JSON.stringify({ kind: MARK, nodes: graph.copied(flow.value, selected.value) });
  }

  function paste(text: string, at?: Point): boolean {
    const clip = readClip(text);
    if (clip.length === 0) return false;
    const { flow: next, ids } = graph.pasted(flow.value, clip, at);
    history.apply(next);
    selected.value = ids;
    return true;
  }

  return {
    selected,
    wires,
    current,
    add,
    remove,
    selectAll: () => (selected.value = flow.value.nodes.map((n) => n.id)),
    nudge,
    copyText,
    paste,
    duplicate: () => void paste(copyText()),
    change: (id, change, kind) => history.apply(graph.changeNode(flow.value, id, change), `${kind} ${id}`),
    apply: history.apply,
    beside: (id) => {
      const node = graph.nodeOf(flow.value, id);
      return node && { x: node.x + ASIDE, y: node.y };
    },
  };
}

/** Nodes from a clipboard's text; none if it is something else. */
function readClip(text: string): FlowNode[] {
  if (!text.includes(MARK)) return [];
  try {
    const found = JSON.parse(text) as { kind?: string; nodes?: FlowNode[] };
    if (found.kind !== MARK || !Array.isArray(found.nodes)) return [];
    return found.nodes.filter((n) => typeof n.id === "string" && typeof n.verb === "string" && typeof n.x === "number" && typeof n.y === "number");
  } catch {
    return [];
  }
}
