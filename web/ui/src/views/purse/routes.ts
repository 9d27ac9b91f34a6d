import { Wallet } from "lucide-vue-next";
import { defineFeature } from "@/frame/feature";

const meta = { titleKey: "purse.title", permission: "purse.read" };

export default defineFeature({
  routes: [
    {
      path: "/balance",
      component: () => import("./Balance.vue"),
      meta,
      children: [
        {
          path: "",
          component: () => import("./Records.vue"),
          meta,
          children: [
            { path: "new", component: () => import("./OrderPanel.vue"), meta: { titleKey: "purse.order", permission: "purse.order" } },
            { path: "top-ups/:id(\\d+)", component: () => import("./TopUpPanel.vue"), meta },
          ],
        },
        { path: "deductions", component: () => import("./Deductions.vue"), meta: { titleKey: "purse.deductions", permission: "purse.read" } },
        { path: "statement", component: () => import("./Statement.vue"), meta: { titleKey: "purse.statement", permission: "purse.read" } },
      ],
    },
  ],
  rail: [{ to: "/balance", icon: Wallet, labelKey: "purse.title", permission: "purse.read", order: 240 }],
});
