/** What the canvas shows of a node besides the graph itself. */
import type { Component } from "vue";

/** How a node or line stands out: against another version, or on a caller's way. */
export type Tone = "added" | "removed" | "changed" | "passed" | "here";

export interface WayLine {
  name: string;
  label: string;
  /** It leads somewhere. */
  taken: boolean;
  /** How many callers took it. */
  count?: number;
}

export interface NodeFigures {
  reached: number;
  left: number;
  /** Average time in the node, seconds. */
  average_s: number | null;
}

export interface NodeData {
  icon: Component;
  group: string;
  title: string;
  verb: string;
  summary: string;
  start: boolean;
  ways: WayLine[];
  /** Sentences of what is wrong with it. */
  problems: string[];
  serious: boolean;
  tone?: Tone;
  toneLabel?: string;
  figures?: NodeFigures;
}

/** Width of every node, pixels: a multiple of the grid. */
export const NODE_WIDTH = 224;
/** What a node is taken for before it is drawn. */
export const USUAL_SIZE = { width: NODE_WIDTH, height: 112 };
export const TARGET = "in";
