// Makes the calls that come in on stdin, as a JSON array of {call, order, attempt, amount, balance, token}, to the PortOne
// that its arguments name: V1's with npm's iamport-server-api, V2's with PortOne's own SDK. It prints a JSON array of
// what the libraries made of each answer: {order, attempt, status, amount, cancelled, currency, live} or {error}.

import { readFileSync } from "node:fs";
import { PlainFetcher } from "@nestia/fetcher/lib/PlainFetcher.js"; // iamport-server-api makes its own calls with it
import { PortOneClient } from "@portone/server-sdk";
import iamport from "iamport-server-api";

const { payments } = iamport.functional;
const [host, key, secret] = process.argv.slice(2);
const v1 = new iamport.IamportConnector(host, { imp_key: key, imp_secret: secret });
const v2 = PortOneClient({ secret, baseUrl: host }).payment;

const find = (connection, order) =>
  PlainFetcher.fetch(connection, {
    method: "GET",
    path: `/payments/find/${order}/`,
    template: "/payments/find/:merchant_uid/",
    status: 200,
    request: null,
    response: { type: "application/json", encrypted: false },
  });

const calls = {
  "v1 at": async ({ attempt }) => seen1(await payments.at(await v1.get(), attempt, {})),
  "v1 find": async ({ order }) => seen1(await find(await v1.get(), order)),
  "v1 cancel": async ({ order, attempt, amount, balance }) => {
    const input = { imp_uid: attempt, merchant_uid: order, amount, checksum: balance, reason: "해제" };
    return seen1(await payments.cancel(await v1.get(), input));
  },
  "v2 get": async ({ order }) => seen2(await v2.getPayment({ paymentId: order })),
  "v2 cancel": async ({ order, amount, balance }) => {
    const input = { paymentId: order, amount, currentCancellableAmount: balance, reason: "해제" };
    const { cancellation } = await v2.cancelPayment(input);
    if (cancellation.status !== "SUCCEEDED") throw new Error(`the cancellation is ${cancellation.status}`);
    return seen2(await v2.getPayment({ paymentId: order }));
  },
  "v2 register": async ({ order, amount }) => {
    await v2.preRegisterPayment({ paymentId: order, totalAmount: amount, currency: "KRW" });
    return { order };
  },
  "v2 confirm": async ({ order, attempt, amount, token }) => {
    const { pgTxId, paidAt } = await v2.confirmPayment({ paymentId: order, paymentToken: token, txId: attempt, totalAmount: amount });
    if (!pgTxId || Number.isNaN(Date.parse(paidAt))) throw new Error(`confirmed as ${pgTxId} at ${paidAt}`);
    return seen2(await v2.getPayment({ paymentId: order }));
  },
  "v2 resend": async ({ order }) => {
    const { webhook } = await v2.resendWebhook({ paymentId: order });
    return { order, status: webhook.status };
  },
};

function seen1({ code, message, response: p }) {
  if (code !== 0) return { error: message };
  return {
    order: p.merchant_uid,
    attempt: p.imp_uid,
    status: p.status,
    amount: p.amount,
    cancelled: p.cancel_amount,
    currency: p.currency,
    live: !p.sandbox,
  };
}

const seen2 = (p) => ({
  order: p.id,
  attempt: p.transactionId,
  status: p.status,
  amount: p.amount.total,
  cancelled: p.amount.cancelled,
  currency: p.currency,
  live: p.channel.type === "LIVE",
});

const answers = [];
for (const ask of JSON.parse(readFileSync(0))) {
  try {
    answers.push(await calls[ask.call](ask));
  } catch (e) {
    const status = e.status ? `${e.status}` : e.data?.type; // a library's own error has one of them
    if (!status) throw e;
    answers.push({ error: status });
  }
}
console.log(JSON.stringify(answers));
