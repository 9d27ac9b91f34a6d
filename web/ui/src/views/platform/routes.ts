import { Building2, Megaphone } from "lucide-vue-next";
import { defineFeature } from "@/frame/feature";

const enterprises = { titleKey: "platform.enterprises.title", permission: "platform.enterprises" };
const announcements = { titleKey: "platform.announcements.title", permission: "platform.announcements" };
const oneEnterprise = () => import("./EnterprisePanel.vue");
const oneAnnouncement = () => import("./AnnouncementPanel.vue");

export default defineFeature({
  routes: [
    {
      path: "/platform/enterprises",
      component: () => import("./Enterprises.vue"),
      meta: enterprises,
      children: [
        { path: "new", component: oneEnterprise, meta: enterprises },
        { path: ":id(\\d+)", component: oneEnterprise, meta: enterprises },
      ],
    },
    {
      path: "/platform/announcements",
      component: () => import("./Announcements.vue"),
      meta: announcements,
      children: [
        { path: "new", component: oneAnnouncement, meta: announcements },
        { path: ":id(\\d+)", component: oneAnnouncement, meta: announcements },
      ],
    },
  ],
  rail: [
    { to: "/platform/enterprises", icon: Building2, labelKey: "platform.enterprises.title", permission: "platform.enterprises", order: 500 },
    { to: "/platform/announcements", icon: Megaphone, labelKey: "platform.announcements.title", permission: "platform.announcements", order: 540 },
  ],
});
