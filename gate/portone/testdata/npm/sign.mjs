// Signs the messages that come in on stdin, as a JSON array of {secret, id, timestamp, body}, with npm's
// standardwebhooks, and prints the signatures as a JSON array.

import { readFileSync } from "node:fs";
import { Webhook } from "standardwebhooks";

const sign = ({ secret, id, timestamp, body }) => new Webhook(secret).sign(id, new Date(timestamp * 1000), body);

console.log(JSON.stringify(JSON.parse(readFileSync(0)).map(sign)));
