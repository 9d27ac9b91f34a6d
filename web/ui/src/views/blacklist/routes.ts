import { Ban } from "lucide-vue-next";
import { defineFeature } from "@/frame/feature";

export default defineFeature({
  routes: [
    {
      path: "/blacklist",
      name: "blacklist",
      component: () => import("./Blacklist.vue"),
      meta: { titleKey: "blacklist.title", permission: "blacklist.read" },
      children: [{ path: "add", name: "blacklist-add", component: () => import("./AddPanel.vue"), meta: { titleKey: "blacklist.add", permission: "blacklist.write" } }],
    },
  ],
  rail: [{ to: "/blacklist", icon: Ban, labelKey: "blacklist.title", permission: "blacklist.read", order: 205 }],
});
