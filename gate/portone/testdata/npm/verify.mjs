// Verifies the messages that come in on stdin, as a JSON array of {secret, id, timestamp, body, signature},
// with PortOne's own SDK, and prints a JSON array: null for each that is verified, else why it is not.

import { webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";
import { verify, WebhookVerificationError } from "@portone/server-sdk/webhook";

globalThis.crypto ??= webcrypto; // Node 18, which Debian 12 has, does not put it there

async function whyNot({ secret, id, timestamp, body, signature }) {
  const headers = { "webhook-id": id, "webhook-timestamp": `${timestamp}`, "webhook-signature": signature };
  try {
    await verify(secret, body, headers);
    return null;
  } catch (e) {
    if (e instanceof WebhookVerificationError) return e.reason;
    throw e;
  }
}

console.log(JSON.stringify(await Promise.all(JSON.parse(readFileSync(0)).map(whyNot))));
