import { PhoneOutgoing } from "lucide-vue-next";
import { addFinder } from "@/frame/palette";
import { api } from "@/api/client";
import { defineFeature } from "@/frame/feature";

addFinder(
  "campaigns",
  async (text, signal) => {
    const page = await api.get("/api/campaigns", { query: { search: text, per_page: 5 }, signal });
    return page.items.map((c) => ({ id: `campaign.${c.id}`, label: c.name, icon: PhoneOutgoing, to: `/campaigns/${c.id}` }));
  },
  "board.read",
);

const panel = () => import("./CampaignPanel.vue");

export default defineFeature({
  routes: [
    {
      path: "/campaigns",
      name: "campaigns",
      component: () => import("./Campaigns.vue"),
      meta: { titleKey: "campaigns.title", permission: "board.read" },
      children: [{ path: "new", name: "campaign-new", component: panel, meta: { titleKey: "campaigns.new", permission: "campaigns.write" } }],
    },
    {
      path: "/campaigns/:id(\\d+)",
      name: "campaign",
      component: () => import("./Console.vue"),
      props: (route) => ({ id: Number(route.params.id) }),
      meta: { titleKey: "campaigns.console", permission: "board.read" },
      children: [
        {
          path: "settings",
          name: "campaign-settings",
          component: panel,
          props: (route) => ({ id: Number(route.params.id) }),
          meta: { titleKey: "campaigns.settings", permission: "campaigns.write" },
        },
      ],
    },
  ],
  rail: [{ to: "/campaigns", icon: PhoneOutgoing, labelKey: "campaigns.title", permission: "board.read", order: 110 }],
});
