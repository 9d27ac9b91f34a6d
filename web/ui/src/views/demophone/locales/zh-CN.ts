export default {
  demophone: {
    title: "演示手机",
    text: "演示通道送达的短信都在这里。可以用客户的身份回复，例如提个问题，或回复 T 退订。",
    phones: "手机列表",
    none: "还没有送达的短信",
    none_text: "向任意手机号发送短信，演示通道会送到这里，不会发到真实手机。尾号 9 的号码关机，尾号 8 的号码拒收。",
    answer: "以 {number} 的身份回复",
    send: "回复",
    sent: "已回复。",
    to: "来自 {sender}",
    media: "图片：{names}",
  },
};
