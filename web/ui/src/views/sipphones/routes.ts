import { PhoneCall } from "lucide-vue-next";
import { defineFeature } from "@/frame/feature";

const permission = "users.read";

export default defineFeature({
  routes: [
    {
      path: "/settings/sip-phones",
      component: () => import("./SipPhones.vue"),
      meta: { titleKey: "sip_phones.title", permission },
      children: [{ path: ":id(new|\\d+)", component: () => import("./SipPhonePanel.vue"), props: true, meta: { titleKey: "sip_phones.title", permission } }],
    },
  ],
  settings: [{ to: "/settings/sip-phones", icon: PhoneCall, labelKey: "sip_phones.title", textKey: "sip_phones.text", permission, order: 34 }],
});
