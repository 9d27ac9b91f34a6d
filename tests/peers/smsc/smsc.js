// An SMSC over the npm package `smpp`, told what to do by its caller.
//
// node smsc.js '{"port": 12775, …}'; then one JSON object a line on standard input changes settings, sends texts or
// asks for figures, and each line of standard output is an event or an answer.
//
// Settings (any may be changed by {"set": {…}}):
//   port, key, cert (PEM: TLS), system_id, password, bind_status (refuse binds with it)
//   receipts: none | after | early (before the answer), receipt_delay_ms, receipt_form: text | tlv | sloppy | data_sm
//   receipt_stat, ids: decimal | hex_then_decimal | zeros
//   answer_delay_ms, answers: true | false (take, and say nothing)
//   rate: submissions a second, more are throttled; drop_after: close the connection at that submission, unanswered
//   rules: { last digits of the recipient: { status, drop, stat, twice, malformed, throttle_first } }
//   track: keep how often each recipient was taken
"use strict";
const smpp = require("smpp");

const settings = Object.assign(
  {
    system_id: "test", password: "secret", bind_status: 0, receipts: "after", receipt_delay_ms: 0, receipt_form: "text",
    receipt_stat: "DELIVRD", ids: "decimal", answer_delay_ms: 0, answers: true, rate: 0, drop_after: 0, rules: {},
    track: true,
  },
  JSON.parse(process.argv[2] || "{}"),
);
const figures = {
  submits: 0, accepted: 0, throttled: 0, rejected: 0, dropped: 0, receipts: 0, receipts_stored: 0, receipts_refused: 0,
  binds: 0, nacks: 0, enquiries: 0, unbinds: 0, inbound_stored: 0,
};
const taken = new Map(); // recipient → how often accepted
const seen = []; // the newest submissions
const sessions = new Set();
const throttledOnce = new Set();
let next = 1000;
let second = 0;
let inSecond = 0;

function say(event) {
  process.stdout.write(JSON.stringify(event) + "\n");
}

function refs() {
  const n = ++next;
  if (settings.ids === "hex_then_decimal") return [n.toString(16).toUpperCase().padStart(8, "0"), String(n)];
  if (settings.ids === "zeros") return [String(n), String(n).padStart(10, "0")];
  return [String(n), String(n)];
}

function ruleOf(recipient) {
  for (const digits of Object.keys(settings.rules)) if (recipient.endsWith(digits)) return settings.rules[digits];
  return null;
}

function receiver() {
  for (const s of sessions) if (s.receives) return s;
  return null;
}

function receiptText(id, stat, form) {
  if (form === "sloppy") return `ID: ${id}  Stat : ${stat.toLowerCase()} ERR=000`;
  const done = new Date().toISOString().replace(/[-T:]/g, "").slice(2, 12);
  const err = stat === "DELIVRD" ? "000" : "045";
  return `id:${id} sub:001 dlvrd:001 submit date:${done} done date:${done} stat:${stat} err:${err} text:stat:NONE id:9`;
}

const STATES = { DELIVRD: 2, EXPIRED: 3, DELETED: 4, UNDELIV: 5, ACCEPTD: 6, REJECTD: 8 };

// A receipt is sent until it is acknowledged: again when a receiver binds, and a second after it was refused.
const owed = new Set();
const unstored = new Set(); // parts of texts to us that are kept until they are stored

function sendReceipt(recipient, source, id, stat) {
  const receipt = [recipient, source, id, stat];
  owed.add(receipt);
  figures.receipts++;
  trySend(receipt);
}

function trySend(receipt) {
  const [recipient, source, id, stat] = receipt;
  const session = receiver();
  if (!session) return;
  const form = settings.receipt_form;
  const body = { source_addr: recipient, destination_addr: source, esm_class: 4 };
  const stored = (answer) => {
    if (answer.command_status === 0) {
      figures.receipts_stored++;
      owed.delete(receipt);
    } else {
      figures.receipts_refused++;
      setTimeout(() => owed.has(receipt) && trySend(receipt), 1000);
    }
  };
  if (form === "data_sm") {
    session.data_sm({ ...body, receipted_message_id: id, message_state: STATES[stat] }, stored);
  } else if (form === "tlv") {
    session.deliver_sm({ ...body, short_message: "", receipted_message_id: id, message_state: STATES[stat] }, stored);
  } else {
    session.deliver_sm({ ...body, short_message: receiptText(id, stat, form) }, stored);
  }
}

function overRate() {
  const now = Math.floor(Date.now() / 1000);
  if (now !== second) [second, inSecond] = [now, 0];
  return ++inSecond > settings.rate;
}

function onSubmit(session, pdu) {
  figures.submits++;
  const to = pdu.destination_addr;
  const rule = ruleOf(to);
  if ((settings.rate && overRate()) || (rule && rule.throttle_first && !throttledOnce.has(to))) {
    throttledOnce.add(to);
    figures.throttled++;
    session.send(pdu.response({ command_status: smpp.ESME_RTHROTTLED }));
    return;
  }
  if (rule && rule.status) {
    figures.rejected++;
    session.send(pdu.response({ command_status: rule.status }));
    return;
  }
  figures.accepted++;
  if (settings.track) taken.set(to, (taken.get(to) || 0) + 1);
  const message = pdu.short_message || {};
  if (settings.track) {
    seen.push({
      to, from: pdu.source_addr, ton: pdu.source_addr_ton, npi: pdu.source_addr_npi, esm: pdu.esm_class,
      dc: pdu.data_coding, text: pdu.message_payload ? pdu.message_payload.message : message.message,
      udh: message.udh ? message.udh.map((u) => u.toString("hex")) : null, validity: pdu.validity_period,
      registered: pdu.registered_delivery,
      sar: pdu.sar_total_segments ? [pdu.sar_msg_ref_num, pdu.sar_segment_seqnum, pdu.sar_total_segments] : null,
    });
    if (seen.length > 1000) seen.shift();
  }
  if ((rule && rule.drop) || (settings.drop_after && figures.accepted === settings.drop_after)) {
    figures.dropped++;
    session.destroy();
    return;
  }
  const [answer, receipt] = refs();
  const stat = (rule && rule.stat) || settings.receipt_stat;
  const receipts = pdu.registered_delivery ? settings.receipts : "none";
  if (receipts === "early") sendReceipt(to, pdu.source_addr, receipt, stat);
  const reply = () => {
    if (settings.answers) session.send(pdu.response({ message_id: answer }));
    if (receipts !== "after") return;
    const times = rule && rule.twice ? 2 : 1;
    const send = () => {
      for (let i = 0; i < times; i++) sendReceipt(to, pdu.source_addr, receipt, stat);
      if (rule && rule.twice) sendReceipt(to, pdu.source_addr, receipt, "UNDELIV");
    };
    if (settings.receipt_delay_ms) setTimeout(send, settings.receipt_delay_ms);
    else send();
  };
  if (settings.answer_delay_ms) setTimeout(reply, settings.answer_delay_ms);
  else reply();
}

function onSession(session) {
  session.socket.setNoDelay(true);
  sessions.add(session);
  session.on("close", () => sessions.delete(session));
  session.on("error", () => session.destroy());
  for (const command of ["bind_transceiver", "bind_transmitter", "bind_receiver"]) {
    session.on(command, (pdu) => {
      let status = settings.bind_status;
      if (!status && pdu.system_id !== settings.system_id) status = smpp.ESME_RINVSYSID;
      if (!status && pdu.password !== settings.password) status = smpp.ESME_RINVPASWD;
      session.send(pdu.response({ command_status: status, system_id: "npm-smsc" }));
      if (status) return;
      figures.binds++;
      session.receives = command !== "bind_transmitter";
      if (session.receives) for (const receipt of owed) trySend(receipt);
      if (session.receives) for (const one of unstored) sendText(one);
      say({ event: "bind", command });
    });
  }
  session.on("submit_sm", (pdu) => onSubmit(session, pdu));
  session.on("enquire_link", (pdu) => {
    figures.enquiries++;
    session.send(pdu.response());
  });
  session.on("unbind", (pdu) => {
    figures.unbinds++;
    session.send(pdu.response());
    session.close();
  });
  session.on("generic_nack", () => figures.nacks++);
}

// A text to us, or those of its parts that are named in `only`; with `keep`, again to whoever binds until it is stored.
function deliver(text) {
  const body = { source_addr_ton: 1, source_addr: text.from, destination_addr: text.to, data_coding: text.dc || 0 };
  const parts = text.parts || [null];
  parts.forEach((part, i) => {
    if (text.only && !text.only.includes(i + 1)) return;
    const one = { ...body };
    if (part === null) one.short_message = text.text;
    else if (text.sar) Object.assign(one, { short_message: part, sar_msg_ref_num: text.ref, sar_total_segments: parts.length, sar_segment_seqnum: i + 1 });
    else {
      one.esm_class = 0x40;
      one.short_message = { udh: Buffer.from([5, 0, 3, text.ref, parts.length, i + 1]), message: part };
    }
    if (text.keep) unstored.add(one);
    sendText(one);
  });
}

function sendText(one) {
  const session = receiver();
  if (!session) return;
  session.deliver_sm(one, (answer) => {
    if (answer.command_status) return;
    figures.inbound_stored++;
    unstored.delete(one);
  });
}

const COMMANDS = {
  set: (given) => Object.assign(settings, given),
  deliver,
  raw: (hex) => sessions.forEach((s) => s.socket.write(Buffer.from(hex, "hex"))),
  unbind: () => sessions.forEach((s) => s.unbind()),
  enquire: () => sessions.forEach((s) => s.enquire_link(() => say({ event: "enquired" }))),
  destroy: () => sessions.forEach((s) => s.destroy()),
  receipt: (r) => sendReceipt(r.to, r.from, r.id, r.stat),
  figures: () => say({ event: "figures", ...figures, sessions: sessions.size, recipients: taken.size, owed: owed.size, repeated: [...taken].filter(([, n]) => n > 1).map(([to]) => to) }),
  taken: () => say({ event: "taken", taken: Object.fromEntries(taken) }),
  seen: () => say({ event: "seen", seen }),
};

const server = smpp.createServer(settings.key ? { key: settings.key, cert: settings.cert } : {}, onSession);
server.listen(settings.port, "127.0.0.1", () => say({ event: "listening", port: server.address().port }));
let held = "";
process.stdin.on("data", (data) => {
  held += data;
  const lines = held.split("\n");
  held = lines.pop();
  for (const line of lines) {
    const [[name, value]] = Object.entries(JSON.parse(line));
    COMMANDS[name](value);
  }
});
process.stdin.on("end", () => process.exit(0));
