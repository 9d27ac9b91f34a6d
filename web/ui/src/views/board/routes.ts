import { LayoutDashboard } from "lucide-vue-next";
import { defineFeature } from "@/frame/feature";

export default defineFeature({
  routes: [
    { path: "/board", name: "board", component: () => import("./BoardPage.vue"), meta: { titleKey: "board.title", permission: "board.read" } },
    { path: "/board/agent/:agent(\\d+)", name: "board-agent", component: () => import("./BoardPage.vue"), meta: { titleKey: "board.title", permission: "board.read" } },
    {
      path: "/board/wall/:id(\\d+)",
      name: "board-wall",
      component: () => import("./Wall.vue"),
      props: (route) => ({ id: Number(route.params.id) }),
      meta: { titleKey: "board.title", permission: "board.read", wall: true },
    },
  ],
  rail: [{ to: "/board", icon: LayoutDashboard, labelKey: "board.title", permission: "board.read", order: 100 }],
});
