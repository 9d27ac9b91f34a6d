/**
 * The small Markdown of articles: headings, bold, code, lists, quotes, links. It becomes a tree of our own and never
 * HTML: what looks like a tag stays the text that was typed.
 */
export type Piece = { kind: "text"; text: string } | { kind: "code"; text: string } | { kind: "bold"; inside: Piece[] } | { kind: "link"; href: string; inside: Piece[] };
export interface Item {
  depth: number;
  lines: Piece[][];
}
export type Block =
  | { kind: "heading"; level: number; inside: Piece[] }
  | { kind: "paragraph" | "quote"; lines: Piece[][] }
  | { kind: "list"; ordered: boolean; start: number; items: Item[] }
  | { kind: "rule" };

const SCHEMES = ["http:", "https:", "mailto:", "tel:"];
const DEEPEST = 2;
const INLINE = /\*\*(?=\S)(.+?)\*\*|`([^`]+)`|\[([^\]]+)\]\(([^()\s]+(?:\([^()\s]*\)[^()\s]*)*)\)|(https?:\/\/[^\s<>"，。；）]*[^\s<>"'，。；）.,;:!?)])/g;

/** The address if it may be followed: of the web, a mailbox, a telephone, or a page of ours. Anything else is none. */
export function safeHref(given: string): string | null {
  try {
    const url = new URL(given, window.location.origin);
    if (!SCHEMES.includes(url.protocol)) return null;
    if (/^[a-z][a-z\d+.-]*:/i.test(given)) return url.href;
    return given.startsWith("/") && url.origin === window.location.origin ? url.pathname + url.search + url.hash : null;
  } catch {
    return null;
  }
}

export function inline(text: string): Piece[] {
  const out: Piece[] = [];
  let at = 0;
  const plain = (to: number): void => {
    if (to > at) out.push({ kind: "text", text: text.slice(at, to) });
  };
  for (const found of text.matchAll(INLINE)) {
    const [whole, bold, code, words, target, bare] = found;
    const href = safeHref(target ?? bare ?? "");
    if ((target !== undefined || bare !== undefined) && href === null) continue; // stays as it was typed
    plain(found.index);
    if (bold !== undefined) out.push({ kind: "bold", inside: inline(bold) });
    else if (code !== undefined) out.push({ kind: "code", text: code });
    else out.push({ kind: "link", href: href ?? "", inside: [{ kind: "text", text: words ?? bare ?? "" }] });
    at = found.index + whole.length;
  }
  plain(text.length);
  return out;
}

export function parse(text: string): Block[] {
  const out: Block[] = [];
  let open: Block | null = null; // what the next line may go on with
  for (const line of text.replace(/\r\n?/g, "\n").split("\n")) {
    const heading = /^ {0,3}(#{1,6})\s+(.+?)\s*#*$/.exec(line);
    const item = /^(\s*)(?:([-*+•])|(\d{1,3})[.)、])\s+(.*)$/.exec(line);
    const quote = /^ {0,3}>\s?(.*)$/.exec(line);
    if (line.trim() === "") open = null;
    else if (/^ {0,3}(-{3,}|\*{3,}|_{3,})\s*$/.test(line)) out.push((open = { kind: "rule" }));
    else if (heading) out.push((open = { kind: "heading", level: Math.min(3, heading[1].length), inside: inline(heading[2]) }));
    else if (item) {
      const depth: number = open?.kind === "list" ? Math.min(DEEPEST, Math.floor(item[1].replace(/\t/g, "  ").length / 2)) : 0;
      const ordered = item[3] !== undefined;
      if (open?.kind !== "list" || (depth === 0 && open.ordered !== ordered)) out.push((open = { kind: "list", ordered, start: Number(item[3] ?? 1), items: [] }));
      open.items.push({ depth, lines: [inline(item[4])] });
    } else if (quote) {
      if (open?.kind !== "quote") out.push((open = { kind: "quote", lines: [] }));
      open.lines.push(inline(quote[1]));
    } else if (open?.kind === "list" && /^\s{2,}/.test(line)) open.items.at(-1)?.lines.push(inline(line.trim()));
    else {
      if (open?.kind !== "paragraph") out.push((open = { kind: "paragraph", lines: [] }));
      open.lines.push(inline(line.trim()));
    }
  }
  return out;
}
