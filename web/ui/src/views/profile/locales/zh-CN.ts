export default {
  profile: {
    you: "个人信息",
    name: "姓名",
    theme_help: "仅保存在当前浏览器。",
    password: "密码",
    current: "当前密码",
    new: "新密码",
    new_help: "至少 8 个字符。修改后，其他设备上的登录会失效。",
    change: "修改密码",
    password_changed: "密码已修改",
    voicemail: "语音信箱",
    greeting: "问候语",
    greeting_help: "来电者给您留言前会听到。",
    greeting_default: "系统默认问候语",
  },
};
