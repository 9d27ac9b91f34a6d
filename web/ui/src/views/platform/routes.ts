import { Building2, Megaphone, RadioTower } from "lucide-vue-next";
import { defineFeature } from "@/frame/feature";

const enterprises = { titleKey: "platform.enterprises.title", permission: "platform.enterprises" };
const announcements = { titleKey: "platform.announcements.title", permission: "platform.announcements" };
const carriers = { titleKey: "platform.carriers.title", permission: "platform.carriers" };
const routes = { titleKey: "platform.routes.title", permission: "platform.carriers" };
const oneCarrier = () => import("./CarrierPanel.vue");
const oneRoute = () => import("./RoutePanel.vue");
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
      path: "/platform/carriers",
      component: () => import("./Carriers.vue"),
      meta: carriers,
      children: [
        { path: "new", component: oneCarrier, meta: carriers },
        { path: ":id(\\d+)", component: oneCarrier, meta: carriers },
      ],
    },
    {
      path: "/platform/routes",
      component: () => import("./Routes.vue"),
      meta: routes,
      children: [
        { path: "new", component: oneRoute, meta: routes },
        { path: ":id(\\d+)", component: oneRoute, meta: routes },
      ],
    },
    { path: "/platform/unclaimed", component: () => import("./Unclaimed.vue"), meta: { titleKey: "platform.unclaimed.title", permission: "platform.carriers" } },
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
    { to: "/platform/carriers", icon: RadioTower, labelKey: "platform.carriers.title", permission: "platform.carriers", order: 520 },
    { to: "/platform/announcements", icon: Megaphone, labelKey: "platform.announcements.title", permission: "platform.announcements", order: 540 },
  ],
});
