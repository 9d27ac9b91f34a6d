/** With what a new menu begins: nothing, or a small one that only has to be filled in. */
import type { Schemas } from "@/api/client";
import type { Flow, FlowNode, Language } from "./graph";

export const STARTS = ["empty", "menu", "hours"] as const;
export type Start = (typeof STARTS)[number];
type Translate = (key: string) => string;
const ACROSS = 320;
const DOWN = 176;

function node(id: string, verb: string, title: string, column: number, row: number, settings: Record<string, unknown>, ways: Record<string, string> = {}): FlowNode {
  return { id, verb, title, settings, ways, x: column * ACROSS, y: row * DOWN };
}

const say = (text: string): Record<string, unknown> => ({ text: { any: text } });
const spoken = (text: string): Record<string, string[]> => ({ any: [`say::${text}`] });

/** Greeting, two keys, and a goodbye for who presses none. */
function menu(language: Language, t: Translate): Flow {
  return {
    start: "say_1",
    language,
    nodes: [
      node("say_1", "say", t("flows.starts.greeting"), 0, 0, say(t("flows.starts.greeting_text")), { next: "menu_1" }),
      node("menu_1", "menu", t("flows.starts.choice"), 1, 0, { prompts: spoken(t("flows.starts.choice_text")), keys: { "1": t("flows.starts.sales"), "2": t("flows.starts.service") } }, { "1": "queue_1", "2": "queue_2", timeout: "hang_up_1", invalid: "hang_up_1" }),
      node("queue_1", "queue", t("flows.starts.sales"), 2, 0, { queue: null }),
      node("queue_2", "queue", t("flows.starts.service"), 2, 1, { queue: null }),
      node("hang_up_1", "hang_up", t("flows.starts.goodbye"), 2, 2, { prompts: spoken(t("flows.starts.goodbye_text")) }),
    ],
  };
}

/** The queue in office hours, voicemail at any other time. */
function hours(language: Language, t: Translate): Flow {
  const open = t("flows.starts.open");
  return {
    start: "branch_1",
    language,
    nodes: [
      node("branch_1", "branch", t("flows.starts.when"), 0, 0, { cases: [{ name: open, kind: "time", begin: "09:00", end: "18:00" }] }, { [open]: "queue_1", otherwise: "say_1" }),
      node("queue_1", "queue", t("flows.starts.service"), 1, 0, { queue: null }),
      node("say_1", "say", t("flows.starts.closed"), 1, 1, say(t("flows.starts.closed_text")), { next: "voicemail_1" }),
      node("voicemail_1", "voicemail", "", 2, 1, {}),
    ],
  };
}

export function startOf(start: Start, language: Language, t: Translate): Schemas["FlowGraph"] | null {
  if (start === "menu") return menu(language, t);
  return start === "hours" ? hours(language, t) : null;
}
