import { HandCoins } from "lucide-vue-next";
import { defineFeature } from "@/frame/feature";

const meta = { titleKey: "platform_top_ups.title", permission: "platform.credit" };

export default defineFeature({
  routes: [
    {
      path: "/platform/top-ups",
      component: () => import("./Orders.vue"),
      meta,
      children: [{ path: ":id(\\d+)", component: () => import("./OrderPanel.vue"), meta }],
    },
    {
      path: "/platform/balances",
      component: () => import("./Balances.vue"),
      meta: { titleKey: "platform_top_ups.balances", permission: "platform.credit" },
      children: [{ path: ":id(\\d+)", component: () => import("./CreditPanel.vue"), meta }],
    },
  ],
  rail: [{ to: "/platform/top-ups", icon: HandCoins, labelKey: "platform_top_ups.title", permission: "platform.credit", order: 510 }],
});
