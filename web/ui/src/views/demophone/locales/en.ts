export default {
  demophone: {
    title: "Demo telephones",
    text: "What the demo carrier delivered. Answer as the subscriber: try a question, or STOP.",
    phones: "Telephones",
    none: "Nothing delivered yet",
    none_text: "Send a text to any mobile number: this demo delivers it here, not to a real telephone. Numbers that end in 9 are switched off, those that end in 8 take no texts.",
    answer: "Answer as {number}",
    send: "Answer",
    sent: "Answered.",
    to: "from {sender}",
    media: "Pictures: {names}",
  },
};
