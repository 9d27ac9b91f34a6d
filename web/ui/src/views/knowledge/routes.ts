import { BookOpenText } from "lucide-vue-next";
import { api } from "@/api/client";
import { defineFeature } from "@/frame/feature";
import { addFinder } from "@/frame/palette";

const READ = "knowledge.read";
const WRITE = "knowledge.write";

addFinder(
  "knowledge",
  async (text, signal) => {
    const found = await api.get("/api/knowledge/articles", { query: { search: text, per_page: 5 }, signal });
    return found.items.map((a) => ({ id: `knowledge-${a.id}`, label: a.title, hint: a.category, icon: BookOpenText, to: `/knowledge/${a.id}` }));
  },
  READ,
);

export default defineFeature({
  routes: [
    { path: "/knowledge/new", name: "knowledge-new", component: () => import("./Editor.vue"), meta: { titleKey: "knowledge.new", permission: WRITE } },
    { path: "/knowledge/:id(\\d+)/edit", name: "knowledge-edit", component: () => import("./Editor.vue"), props: true, meta: { titleKey: "knowledge.edit_title", permission: WRITE } },
    {
      path: "/knowledge",
      name: "knowledge",
      component: () => import("./Knowledge.vue"),
      meta: { titleKey: "knowledge.title", permission: READ },
      children: [{ path: ":id(\\d+)", name: "knowledge-article", component: () => import("./ArticlePane.vue"), props: true, meta: { titleKey: "knowledge.article", permission: READ } }],
    },
  ],
  rail: [{ to: "/knowledge", icon: BookOpenText, labelKey: "knowledge.title", permission: READ, order: 43 }],
});
