import { MessageSquareText } from "lucide-vue-next";
import { defineFeature } from "@/frame/feature";
import TextsBadge from "./TextsBadge.vue";

const READ = { titleKey: "texts.title", permission: "texts.read" };

export default defineFeature({
  routes: [
    { path: "/texts", name: "texts", component: () => import("./Sends.vue"), meta: READ },
    { path: "/texts/new", name: "text-new", component: () => import("./Compose.vue"), meta: { titleKey: "texts.compose", permission: "texts.send" } },
    {
      path: "/texts/:id(\\d+)",
      name: "text",
      component: () => import("./Send.vue"),
      props: true,
      meta: READ,
      children: [{ path: "messages/:messageId(\\d+)", name: "text-message", component: () => import("./MessagePanel.vue"), props: true, meta: READ }],
    },
    { path: "/texts/approvals", name: "text-approvals", component: () => import("./Approvals.vue"), meta: { titleKey: "texts.approvals.title", permission: "texts.approve" } },
    {
      path: "/texts/templates",
      name: "text-templates",
      component: () => import("./Templates.vue"),
      meta: { titleKey: "texts.templates.title", permission: "texts.send" },
      children: [{ path: ":id(new|\\d+)", name: "text-template", component: () => import("./TemplatePanel.vue"), props: true, meta: { titleKey: "texts.templates.template", permission: "texts.send" } }],
    },
    {
      path: "/texts/recurring",
      name: "text-recurring",
      component: () => import("./Recurring.vue"),
      meta: { titleKey: "texts.recurring.title", permission: "texts.templates" },
      children: [{ path: ":id(new|\\d+)", name: "text-rule", component: () => import("./RecurringPanel.vue"), props: true, meta: { titleKey: "texts.recurring.title", permission: "texts.templates" } }],
    },
  ],
  rail: [{ to: "/texts", icon: MessageSquareText, labelKey: "texts.title", permission: "texts.read", order: 40, badge: TextsBadge }],
});
