import { Columns3Cog, ListOrdered } from "lucide-vue-next";
import { defineFeature } from "@/frame/feature";

const READ = { titleKey: "lists.title", permission: "lists.read" };

export default defineFeature({
  routes: [
    {
      path: "/lists",
      name: "lists",
      component: () => import("./Lists.vue"),
      meta: READ,
      children: [
        { path: "new", name: "list-new", component: () => import("./ListPanel.vue"), meta: { titleKey: "lists.new", permission: "lists.write" } },
        { path: ":id(\\d+)/edit", name: "list-edit", component: () => import("./ListPanel.vue"), props: true, meta: { titleKey: "lists.edit", permission: "lists.write" } },
      ],
    },
    {
      path: "/lists/:id(\\d+)",
      name: "list",
      component: () => import("./Leads.vue"),
      props: true,
      meta: READ,
      children: [
        { path: "leads/:leadId(new|\\d+)", name: "lead", component: () => import("./LeadPanel.vue"), props: true, meta: { titleKey: "leads.lead", permission: "lists.read" } },
      ],
    },
    {
      path: "/lists/:id(\\d+)/import/:importId?",
      name: "import",
      component: () => import("./ImportPage.vue"),
      props: true,
      meta: { titleKey: "imports.title", permission: "lists.import" },
    },
    {
      path: "/settings/fields",
      name: "fields",
      component: () => import("./Fields.vue"),
      meta: { titleKey: "fields.title", permission: "lists.write" },
      children: [
        { path: ":id(new|\\d+)", name: "field", component: () => import("./FieldPanel.vue"), props: true, meta: { titleKey: "fields.title", permission: "lists.write" } },
      ],
    },
  ],
  rail: [{ to: "/lists", icon: ListOrdered, labelKey: "lists.title", permission: "lists.read", order: 200 }],
  settings: [{ to: "/settings/fields", icon: Columns3Cog, labelKey: "fields.title", textKey: "fields.text", permission: "lists.write", order: 80 }],
});
