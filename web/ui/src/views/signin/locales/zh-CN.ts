export default {
  signin: {
    title: "登录",
    enterprise: "企业代码",
    username: "用户名",
    password: "密码",
    button: "登录",
    ended: "登录已失效，重新登录后回到原来的页面。",
    demo: "演示账号",
    show: "显示密码",
    caps: "大写锁定已开启。",
  },
  error: {
    sign_in_refused: "企业代码、用户名或密码不正确，请逐项核对。",
    locked_out: "密码或动态码错误次数过多，请 {minutes} 分钟后再试，或请管理员重设密码。",
    user_disabled: "该用户已停用，请联系管理员。",
  },
};
