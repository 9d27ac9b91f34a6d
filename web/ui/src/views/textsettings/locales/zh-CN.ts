export default {
  text_settings: {
    title: "短信签名",
    text: "短信开头的签名，以及发送人能否修改。",
    signature: "默认签名",
    signature_help: "以【】显示在每条短信开头，计入字数。留空则用企业名称。",
    required: "所有短信必须使用此签名",
    required_help: "发送人不能修改或去掉签名，自动短信和接口发送同样遵守。",
    fixed_help: "企业规定所有短信使用此签名。",
    example: "短信开头的样子",
    example_text: "您的订单已发货。",
    who_may: "需要“编辑拨打规则”权限才能更改。",
  },
  audit: {
    entities: {
      text_signature: "短信签名",
      text_send: "短信",
      text_template: "短信模板",
      text_rule: "定期短信",
      text_file: "收信人文件",
      text_media: "彩信图片",
      text_answering: "短信回复设置",
      text_keyword: "自动回复",
    },
  },
  error: { signature_required: "企业规定所有短信使用签名【{signature}】，请勿修改。" },
};
