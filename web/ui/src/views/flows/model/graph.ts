/** A menu as a graph, and what can be done to it. Plain data and pure functions: every change gives a new graph. */

export interface FlowNode {
  id: string;
  verb: string;
  title: string;
  settings: Record<string, unknown>;
  /** Name of the way out → id of the node it leads to. */
  ways: Record<string, string>;
  /** Pixels on the page. */
  x: number;
  y: number;
}

export type Language = "en" | "zh";

export interface Flow {
  /** Id of the first node; empty while there is none. */
  start: string;
  nodes: FlowNode[];
  /** Spoken until a node changes it. */
  language: Language;
}

/** A line between two nodes. */
export interface Wire {
  id: string;
  from: string;
  way: string;
  to: string;
}

export interface Point {
  x: number;
  y: number;
}

/** Nodes lie on this grid, pixels. */
export const GRID = 16;
const PASTE_OFFSET = 32;

/** A copy of plain data, whether it is watched by the page or not. */
export function cloned<T>(value: T): T {
  return value === undefined ? value : (JSON.parse(JSON.stringify(value)) as T);
}

export function snapped(at: Point): Point {
  return { x: Math.round(at.x / GRID) * GRID, y: Math.round(at.y / GRID) * GRID };
}

export function nodeOf(flow: Flow, id: string): FlowNode | undefined {
  return flow.nodes.find((node) => node.id === id);
}

export function wireId(from: string, way: string): string {
  return `${from}|${way}`;
}

export function wiresOf(flow: Flow): Wire[] {
  const known = new Set(flow.nodes.map((node) => node.id));
  return flow.nodes.flatMap((node) =>
    Object.entries(node.ways)
      .filter(([, to]) => known.has(to))
      .map(([way, to]) => ({ id: wireId(node.id, way), from: node.id, way, to })),
  );
}

/** An id that no node has: the verb with the next number, readable in findings and logs. */
function freeId(verb: string, taken: ReadonlySet<string>): string {
  let n = 1;
  while (taken.has(`${verb}_${n}`)) n += 1;
  return `${verb}_${n}`;
}

export function addNode(flow: Flow, verb: string, settings: Record<string, unknown>, at: Point): { flow: Flow; id: string } {
  const id = freeId(verb, new Set(flow.nodes.map((node) => node.id)));
  const node: FlowNode = { id, verb, title: "", settings: cloned(settings), ways: {}, ...snapped(at) };
  const start = nodeOf(flow, flow.start) ? flow.start : id;
  return { flow: { ...flow, start, nodes: [...flow.nodes, node] }, id };
}

export function changeNode(flow: Flow, id: string, change: Partial<Omit<FlowNode, "id">>): Flow {
  return { ...flow, nodes: flow.nodes.map((node) => (node.id === id ? { ...node, ...change } : node)) };
}

/** Takes nodes out, with every line from and to them. */
export function removeNodes(flow: Flow, ids: Iterable<string>): Flow {
  const gone = new Set(ids);
  const nodes = flow.nodes
    .filter((node) => !gone.has(node.id))
    .map((node) => ({ ...node, ways: Object.fromEntries(Object.entries(node.ways).filter(([, to]) => !gone.has(to))) }));
  return { ...flow, start: gone.has(flow.start) ? "" : flow.start, nodes };
}

export function connect(flow: Flow, from: string, way: string, to: string): Flow {
  const node = nodeOf(flow, from);
  if (!node || !nodeOf(flow, to) || node.ways[way] === to) return flow;
  return changeNode(flow, from, { ways: { ...node.ways, [way]: to } });
}

export function disconnect(flow: Flow, from: string, way: string): Flow {
  const node = nodeOf(flow, from);
  if (!node || !(way in node.ways)) return flow;
  const { [way]: _gone, ...ways } = node.ways;
  return changeNode(flow, from, { ways });
}

export function moveNodes(flow: Flow, places: ReadonlyMap<string, Point>): Flow {
  const still = flow.nodes.every((node) => {
    const place = places.get(node.id);
    return !place || (place.x === node.x && place.y === node.y);
  });
  return still ? flow : { ...flow, nodes: flow.nodes.map((node) => ({ ...node, ...places.get(node.id) })) };
}

export function shifted(flow: Flow, ids: Iterable<string>, by: Point): Flow {
  const moved = new Set(ids);
  return moveNodes(flow, new Map(flow.nodes.filter((n) => moved.has(n.id)).map((n) => [n.id, { x: n.x + by.x, y: n.y + by.y }])));
}

/** The nodes with the lines between them, to be put in elsewhere. */
export function copied(flow: Flow, ids: Iterable<string>): FlowNode[] {
  const wanted = new Set(ids);
  return cloned(flow.nodes.filter((node) => wanted.has(node.id))).map((node) => ({
    ...node,
    ways: Object.fromEntries(Object.entries(node.ways).filter(([, to]) => wanted.has(to))),
  }));
}

/** Puts copied nodes in under new ids, beside where they lay or with their top left at `at`. */
export function pasted(flow: Flow, clip: readonly FlowNode[], at?: Point): { flow: Flow; ids: string[] } {
  const taken = new Set(flow.nodes.map((node) => node.id));
  const renamed = new Map<string, string>();
  for (const node of clip) {
    const id = freeId(node.verb, taken);
    taken.add(id);
    renamed.set(node.id, id);
  }
  const left = Math.min(...clip.map((node) => node.x));
  const top = Math.min(...clip.map((node) => node.y));
  const by = at ? { x: at.x - left, y: at.y - top } : { x: PASTE_OFFSET, y: PASTE_OFFSET };
  const nodes = cloned([...clip]).map((node) => ({
    ...node,
    id: renamed.get(node.id) ?? node.id,
    ways: Object.fromEntries(Object.entries(node.ways).map(([way, to]) => [way, renamed.get(to) ?? to])),
    ...snapped({ x: node.x + by.x, y: node.y + by.y }),
  }));
  const start = nodeOf(flow, flow.start) ? flow.start : (nodes[0]?.id ?? "");
  return { flow: { ...flow, start, nodes: [...flow.nodes, ...nodes] }, ids: nodes.map((node) => node.id) };
}

/** Node ids in the order in which a caller may reach them; those nobody reaches come last. */
export function readingOrder(flow: Flow): string[] {
  const order: string[] = [];
  const seen = new Set<string>();
  const queue = [flow.start, ...flow.nodes.map((node) => node.id)];
  const visit = (first: string): void => {
    const next = [first];
    while (next.length > 0) {
      const id = next.shift() ?? "";
      const node = nodeOf(flow, id);
      if (!node || seen.has(id)) continue;
      seen.add(id);
      order.push(id);
      next.push(...Object.values(node.ways));
    }
  };
  queue.forEach(visit);
  return order;
}

/** Whether two graphs are the same for a caller and on the page. */
export function sameFlow(a: Flow, b: Flow): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
