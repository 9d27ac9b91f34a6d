export default {
  text_settings: {
    title: "Text signature",
    text: "What your texts begin with, and whether senders may change it.",
    signature: "Usual signature",
    signature_help: "Stands before every text in 【】 and counts as part of it. Left empty, it is your enterprise's name.",
    required: "Every text must carry this signature",
    required_help: "Senders can neither change it nor leave it out; automatic texts and the API follow it too.",
    fixed_help: "Your enterprise signs all its texts this way.",
    example: "A text then begins like this",
    example_text: "Your order is on its way.",
    who_may: "The permission “Change calling rules” is needed to change this.",
  },
  audit: {
    entities: {
      text_signature: "Text signature",
      text_send: "Text",
      text_template: "Text template",
      text_rule: "Recurring text",
      text_file: "File of recipients",
      text_media: "Picture for MMS",
      text_answering: "Answers to texts",
      text_keyword: "Automatic answer",
    },
  },
  error: { signature_required: "Your enterprise signs all its texts 【{signature}】. Leave the signature as it is." },
};
