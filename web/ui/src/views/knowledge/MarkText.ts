/** An article's body on a page, made of elements one by one: nothing that was typed is ever taken for HTML. */
import { defineComponent, h, type VNode } from "vue";
import { RouterLink } from "vue-router";
import { parse, type Block, type Item, type Piece } from "./markup";
import "./mark.css";

function pieces(inside: Piece[]): (VNode | string)[] {
  return inside.map((p) => {
    if (p.kind === "text") return p.text;
    if (p.kind === "code") return h("code", p.text);
    if (p.kind === "bold") return h("strong", pieces(p.inside));
    if (p.href.startsWith("/")) return h(RouterLink, { to: p.href }, () => pieces(p.inside));
    return h("a", { href: p.href, target: "_blank", rel: "noopener noreferrer nofollow" }, pieces(p.inside));
  });
}

function lines(of: Piece[][]): (VNode | string)[] {
  return of.flatMap((line, i) => (i === 0 ? pieces(line) : [h("br"), ...pieces(line)]));
}

/** Items of one depth with what is deeper inside them. */
function items(of: Item[], depth: number): VNode[] {
  const out: VNode[] = [];
  for (let i = 0; i < of.length; ) {
    let end = i + 1;
    while (end < of.length && of[end].depth > depth) end++;
    const inner = of.slice(i + 1, end);
    out.push(h("li", [...lines(of[i].lines), ...(inner.length > 0 ? [h("ul", items(inner, inner[0].depth))] : [])]));
    i = end;
  }
  return out;
}

function block(b: Block, top: number): VNode {
  if (b.kind === "heading") return h(`h${Math.min(6, top + b.level - 1)}`, { class: `level-${b.level}` }, pieces(b.inside));
  if (b.kind === "list") return h(b.ordered ? "ol" : "ul", b.ordered ? { start: b.start } : {}, items(b.items, 0));
  if (b.kind === "rule") return h("hr");
  return h(b.kind === "quote" ? "blockquote" : "p", lines(b.lines));
}

/** `top`: the level that the largest heading of the text has on the page. */
export default defineComponent({
  props: { text: { type: String, required: true }, top: { type: Number, default: 3 } },
  setup: (props) => () => h("div", { class: "mark-text" }, parse(props.text).map((b) => block(b, props.top))),
});
