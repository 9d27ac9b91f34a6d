export default {
  home: {
    hello: "{name}，您好",
    account: "账户有效期",
    valid_always: "长期有效",
    valid_until: "有效期至 {date}（还剩 {days} 天）",
    valid_ended: "已于 {date} 到期，不能外呼和发短信",
    callbacks: "我今天的回拨",
    callbacks_due: "没有待回拨 | 1 个待回拨 | {n} 个待回拨",
    start: "开始第一通电话",
    done: "已完成",
    open: "未完成",
    pages: "常用页面",
    steps: {
      trunk: { title: "接入线路", text: "配置运营商的 SIP 中继，通话由此拨出。", action: "配置中继" },
      people: { title: "添加人员", text: "坐席负责通话，主管负责看板和质检。", action: "新增用户" },
      list: { title: "导入号码", text: "支持 CSV 和 Excel，自动识别列、校验号码、去除重复。", action: "导入名单" },
      campaign: { title: "新建外呼任务", text: "选择名单和坐席，设定拨号速度和允许拨打的时间。", action: "新建任务" },
      call: { title: "接通第一通电话", text: "启动任务，戴上耳机，切换到空闲。", action: "打开工作台" },
    },
  },
};
