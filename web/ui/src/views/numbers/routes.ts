import { PhoneIncoming } from "lucide-vue-next";
import { defineFeature } from "@/frame/feature";

const NUMBERS = { titleKey: "numbers.title", permission: "numbers.read" };
const CALENDARS = { titleKey: "calendars.title", permission: "numbers.read" };

export default defineFeature({
  routes: [
    {
      path: "/numbers",
      name: "numbers",
      component: () => import("./Numbers.vue"),
      meta: NUMBERS,
      children: [{ path: ":id(new|\\d+)", name: "number", component: () => import("./NumberPanel.vue"), props: true, meta: NUMBERS }],
    },
    {
      path: "/numbers/calendars",
      name: "calendars",
      component: () => import("./Calendars.vue"),
      meta: CALENDARS,
      children: [{ path: ":id(new|\\d+)", name: "calendar", component: () => import("./CalendarPanel.vue"), props: true, meta: CALENDARS }],
    },
  ],
  rail: [{ to: "/numbers", icon: PhoneIncoming, labelKey: "numbers.title", permission: "numbers.read", order: 210 }],
});
