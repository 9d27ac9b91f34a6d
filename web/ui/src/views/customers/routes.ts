import { PhoneForwarded, UsersRound } from "lucide-vue-next";
import { defineFeature } from "@/frame/feature";
import { addFinder } from "@/frame/palette";
import { api } from "@/api/client";

addFinder(
  "customers",
  async (text, signal) => {
    const found = await api.get("/api/customers", { query: { search: text, per_page: 5 }, signal });
    return found.items.map((c) => ({ id: `customer-${c.id}`, label: c.name || (c.phones[0] ?? ""), hint: c.company, icon: UsersRound, to: `/customers/${c.id}` }));
  },
  "customers.read",
);

export default defineFeature({
  routes: [
    {
      path: "/customers",
      name: "customers",
      component: () => import("./Customers.vue"),
      meta: { titleKey: "customers.title", permission: "customers.read" },
      children: [
        { path: "new", name: "customer-new", component: () => import("./NewCustomer.vue"), meta: { titleKey: "customers.new", permission: "customers.write" } },
        { path: ":who(\\d+|lead-\\d+)", name: "customer", component: () => import("./CustomerPanel.vue"), props: true, meta: { titleKey: "customers.customer", permission: "customers.read" } },
      ],
    },
    {
      path: "/callbacks",
      name: "callbacks",
      component: () => import("./Callbacks.vue"),
      meta: { titleKey: "callbacks.title", permission: "customers.read" },
    },
  ],
  rail: [
    { to: "/customers", icon: UsersRound, labelKey: "customers.title", permission: "customers.read", order: 20 },
    { to: "/callbacks", icon: PhoneForwarded, labelKey: "callbacks.title", permission: "customers.read", order: 30 },
  ],
});
