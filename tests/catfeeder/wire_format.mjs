// Asks the queue of passwords for a job with nothing but Node's standard library, by docs/wire-format.md.
// Usage: node wire_format.mjs <socket or host:port> <queue key> <actor_name> <kwargs as JSON>

import crypto from "node:crypto";
import net from "node:net";

const [, , address, keyText, actorName, kwargs] = process.argv;
const [app, generation, secret] = keyText.slice("cfq_".length).split(".");
const key = Buffer.from(secret, "base64url");
const keyId = crypto.createHash("sha256").update("catfeeder/key-id/v1").update(key).digest().subarray(0, 4);
const generationBytes = Buffer.alloc(4);
generationBytes.writeUInt32BE(Number(generation));
const appBytes = Buffer.from(app);
const own = Buffer.concat([Buffer.from([2]), keyId, Buffer.from([appBytes.length]), appBytes, generationBytes]);

function seal(text, context) {
  const header = Buffer.concat([own, crypto.randomBytes(12)]);
  const cipher = crypto.createCipheriv("aes-256-gcm", key, header.subarray(-12));
  cipher.setAAD(Buffer.concat([header, Buffer.from(context)]));
  return Buffer.concat([header, cipher.update(text), cipher.final(), cipher.getAuthTag()]);
}

function open(sealed, context) {
  const header = sealed.subarray(0, own.length + 12);
  if (!header.subarray(0, own.length).equals(own)) throw new Error("sealed with another key");
  const decipher = crypto.createDecipheriv("aes-256-gcm", key, header.subarray(-12));
  decipher.setAAD(Buffer.concat([header, Buffer.from(context)])).setAuthTag(sealed.subarray(-16));
  return Buffer.concat([decipher.update(sealed.subarray(header.length, -16)), decipher.final()]).toString();
}

// RESP2, as much of it as is needed: a request is an array of bulk strings.
function request(parts) {
  const buffers = parts.map((part) => (Buffer.isBuffer(part) ? part : Buffer.from(String(part))));
  const pieces = buffers.flatMap((part) => [Buffer.from(`$${part.length}\r\n`), part, Buffer.from("\r\n")]);
  return Buffer.concat([Buffer.from(`*${parts.length}\r\n`), ...pieces]);
}

// Returns [value, bytes read], or null while the reply is not complete.
function parse(buffer, start = 0) {
  const end = buffer.indexOf("\r\n", start);
  if (end < 0) return null;
  const kind = String.fromCharCode(buffer[start]);
  const text = buffer.toString("utf8", start + 1, end);
  let at = end + 2;
  if (kind === "-") throw new Error(text);
  if (kind === "+") return [text, at];
  if (kind === ":") return [Number(text), at];
  const length = Number(text);
  if (length < 0) return [null, at];
  if (kind === "$") {
    return buffer.length < at + length + 2 ? null : [buffer.subarray(at, at + length), at + length + 2];
  }
  const items = [];
  for (let count = 0; count < length; count++) {
    const item = parse(buffer, at);
    if (item === null) return null;
    items.push(item[0]);
    at = item[1];
  }
  return [items, at];
}

const [host, port] = address.split(":");
const socket = address.startsWith("/") ? net.connect(address) : net.connect(Number(port), host);
let received = Buffer.alloc(0);
const waiting = [];
socket.on("data", (data) => {
  received = Buffer.concat([received, data]);
  for (let reply; (reply = parse(received)) !== null; ) {
    received = received.subarray(reply[1]);
    waiting.shift()(reply[0]);
  }
});

function command(...parts) {
  socket.write(request(parts));
  return new Promise((resolve) => waiting.push(resolve));
}

const queue = "passwords";
const messageId = crypto.randomUUID();
const redisMessageId = crypto.randomUUID();
const message = {
  queue_name: queue,
  actor_name: actorName,
  args: [],
  kwargs: JSON.parse(kwargs),
  options: { redis_message_id: redisMessageId },
  message_id: messageId,
  message_timestamp: Date.now(),
};
const job = `catfeeder:job:${messageId}`;

command("MULTI");
const what = { actor: actorName, queue, app, enqueued_at: new Date().toISOString(), redis_message_id: redisMessageId };
command("HSET", job, "status", "queued", "message", redisMessageId, "job", seal(JSON.stringify(what), `job:${messageId}:job`));
command("EXPIRE", job, 3600);
command("HSET", `catfeeder:${queue}.msgs`, redisMessageId, seal(JSON.stringify(message), "message"));
command("RPUSH", `catfeeder:${queue}`, redisMessageId);
command("PUBLISH", `catfeeder:bell:${queue}`, "");
await command("EXEC");

const ended = `catfeeder:ended:${messageId}`;
const deadline = Date.now() + 30_000;
while (Date.now() < deadline) {
  await command("BLMOVE", ended, ended, "LEFT", "LEFT", 1);
  const flat = await command("HGETALL", job);
  const fields = {};
  for (let at = 0; at < flat.length; at += 2) fields[flat[at].toString()] = flat[at + 1];
  if (!fields.end) continue;
  const { status, result, error } = JSON.parse(open(fields.end, `job:${messageId}:end:${redisMessageId}`));
  console.log(JSON.stringify({ id: messageId, status, outcome: result ?? error }));
  break;
}
socket.destroy();
