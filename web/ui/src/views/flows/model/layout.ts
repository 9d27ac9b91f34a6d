/** Puts nodes in order from left to right, as a caller goes. The library comes only when it is asked for. */
import { GRID, snapped, wiresOf, type Flow, type Point } from "./graph";

export interface Size {
  width: number;
  height: number;
}

const GAP_ACROSS = 96;
const GAP_DOWN = 32;
const MARGIN = 32;

/** Places for all nodes of `flow`; `sizes` by node id, pixels. */
export async function laidOut(flow: Flow, sizes: ReadonlyMap<string, Size>, usual: Size): Promise<Map<string, Point>> {
  const dagre = await import("@dagrejs/dagre");
  const graph = new dagre.Graph({ multigraph: true });
  graph.setGraph({ rankdir: "LR", nodesep: GAP_DOWN, ranksep: GAP_ACROSS, marginx: MARGIN, marginy: MARGIN });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const node of flow.nodes) graph.setNode(node.id, { ...(sizes.get(node.id) ?? usual) });
  for (const wire of wiresOf(flow)) if (wire.from !== wire.to) graph.setEdge(wire.from, wire.to, {}, wire.way);
  dagre.layout(graph);
  return new Map(
    flow.nodes.map((node) => {
      // Its places are the middles.
      const { x, y, width, height } = graph.node(node.id) as Point & Size;
      return [node.id, snapped({ x: x - width / 2, y: y - height / 2 })];
    }),
  );
}

/** The first place from `at` downwards where a node of `usual` size covers no other. */
export function freePlace(flow: Flow, at: Point, sizes: ReadonlyMap<string, Size>, usual: Size): Point {
  const place = { ...at };
  const covers = (): boolean =>
    flow.nodes.some((node) => {
      const { width, height } = sizes.get(node.id) ?? usual;
      return node.x < place.x + usual.width + GRID && place.x < node.x + width + GRID && node.y < place.y + usual.height + GRID && place.y < node.y + height + GRID;
    });
  while (covers()) place.y += GRID;
  return place;
}
