// Webhook verification: signature and time of a request (Standard Webhooks).

import { createHmac, timingSafeEqual } from "node:crypto";
import { WebhookNotOurs } from "./errors.js";
import type { components } from "./schema.js";

const TOLERANCE_SECONDS = 300;

/** Return the event of a request: `body` as it came, `key` as `keys webhook` prints it. */
export function verifyWebhook(
  headers: Record<string, string | string[] | undefined>,
  body: string | Uint8Array,
  key: string,
  now: number = Date.now() / 1000,
): components["schemas"]["Event"] {
  if (!/^whsec_[A-Za-z0-9+/]+={0,2}$/.test(key)) {
    throw new TypeError("The key is not one that `python -m worker keys webhook` prints.");
  }
  const named = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]));
  const timestamp = named.get("webhook-timestamp") ?? "";
  if (!/^[0-9]+$/.test(timestamp) || Math.abs(now - Number(timestamp)) > TOLERANCE_SECONDS) {
    throw new WebhookNotOurs("The time of the webhook is not within five minutes.");
  }
  const mac = createHmac("sha256", Buffer.from(key.slice("whsec_".length), "base64"));
  mac.update(`${named.get("webhook-id") ?? ""}.${timestamp}.`).update(body);
  const expected = Buffer.from(`v1,${mac.digest("base64")}`);
  // While SECRET_KEY is being changed there are two signatures, and one of them is enough.
  const signatures = (named.get("webhook-signature") ?? "").split(/\s+/).map((one) => Buffer.from(one));
  if (!signatures.some((one) => one.length === expected.length && timingSafeEqual(one, expected))) {
    throw new WebhookNotOurs("The signature of the webhook is wrong.");
  }
  return JSON.parse(Buffer.from(body as Uint8Array).toString());
}
