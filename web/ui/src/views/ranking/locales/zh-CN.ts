export default {
  ranking: {
    title: "坐席排名",
    text: "坐席在两通电话之间能看到同事的哪些数据。",
    period: "时间范围",
    today: "今天",
    week: "本周",
    agent: "坐席",
    connected: "接通",
    you: "我",
    nobody: "还没有人通话。",
    hidden: "企业设置为只显示本人的名次。",
    names: "显示同事姓名",
    names_on: "坐席可以看到前五名的数据，以及自己的位置。",
    names_off: "坐席只能看到自己的数据和名次。",
  },
};
