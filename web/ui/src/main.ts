import ElementPlus from "element-plus";
import "element-plus/dist/index.css";
import "element-plus/theme-chalk/dark/css-vars.css";
import { createPinia } from "pinia";
import { createApp } from "vue";
import App from "./App.vue";
import "./frame/tokens.css";
import "./frame/base.css";
import { router } from "./frame/router";
import { followSystemTheme } from "./frame/theme";
import { i18n } from "./i18n";

followSystemTheme();
createApp(App).use(createPinia()).use(i18n).use(router).use(ElementPlus).mount("#app");
