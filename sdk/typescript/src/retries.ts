// Retries: what may be sent again is, under one idempotency key, as long as patience lasts.
//
// Sent again are requests that change nothing a second time: by their method (RFC 9110 section
// 9.2.2), or since their route takes an `Idempotency-Key`. Any other is sent again only after 429,
// which says that nothing was done.

import { randomUUID } from "node:crypto";
import { type Fault, ProblemAnswered, ServiceUnreachable } from "./errors.js";
import { JOB_ROUTES } from "./job-routes.js";

export interface Patience {
  seconds: number;
  attempts: number;
  /** What a route waits for its job by itself (`Prefer: wait=N`). */
  wait: number;
}

export const PATIENCE: Patience = { seconds: 30, attempts: 5, wait: 10 };
const SAFE = new Set(["GET", "HEAD", "OPTIONS", "PUT"]);
const TRANSIENT = new Set([502, 503, 504]);
const LONGEST_DELAY_MS = 5000;
const HTTP_TIMEOUT_MS = 60_000;
const JOB_PATHS = JOB_ROUTES.map(([method, path]) => ({
  method,
  form: new RegExp(`^${path.replace(/\{\w+\}/g, "[^/]+")}$`),
}));

export function retrying(patience: Patience, send: typeof fetch = fetch) {
  return async (request: Request): Promise<Response> => {
    const prepared = prepare(request, patience);
    const deadline = Date.now() + patience.seconds * 1000;
    for (let made = 1; ; made++) {
      const answer = await attempt(prepared.request.clone(), send);
      const isTransient = answer === undefined || TRANSIENT.has(answer.status);
      const isRepeated = answer?.status === 429 || (isTransient && prepared.isSafe);
      const delay = retryAfter(answer) ?? Math.min(200 * 2 ** (made - 1), LONGEST_DELAY_MS) * (0.5 + Math.random() / 2);
      if (!isRepeated || made >= patience.attempts || Date.now() + delay > deadline) {
        return conclude(answer);
      }
      await new Promise((resume) => setTimeout(resume, delay));
    }
  };
}

function prepare(request: Request, patience: Patience): { request: Request; isSafe: boolean } {
  const path = new URL(request.url).pathname;
  const own = path.slice(Math.max(path.indexOf("/v1/"), 0));
  const makesJob = JOB_PATHS.some(({ method, form }) => method === request.method && form.test(own));
  if (!makesJob) return { request, isSafe: SAFE.has(request.method) };
  const headers = new Headers(request.headers);
  if (!headers.has("Idempotency-Key")) headers.set("Idempotency-Key", randomUUID());
  if (!headers.has("Prefer")) headers.set("Prefer", `wait=${patience.wait}`);
  return { request: new Request(request, { headers }), isSafe: true };
}

async function attempt(request: Request, send: typeof fetch): Promise<Response | undefined> {
  try {
    const answer = await send(request, { signal: AbortSignal.timeout(HTTP_TIMEOUT_MS) });
    // An answer that is cut off is none.
    return new Response([204, 304].includes(answer.status) ? null : await answer.arrayBuffer(), answer);
  } catch {
    return undefined;
  }
}

function retryAfter(answer: Response | undefined): number | undefined {
  const text = answer?.headers.get("Retry-After") ?? "";
  return /^[0-9]+$/.test(text) ? Number(text) * 1000 : undefined;
}

async function conclude(answer: Response | undefined): Promise<Response> {
  if (answer === undefined) throw new ServiceUnreachable();
  if (answer.status < 400) return answer;
  const kind = answer.headers.get("Content-Type")?.split(";")[0];
  // /health says what is wrong in its usual form.
  if (kind === "application/json") return answer;
  if (kind !== "application/problem+json") throw new ServiceUnreachable();
  const problem = (await answer.json()) as { code: string; detail: string; errors?: Fault[] };
  const wait = retryAfter(answer);
  throw new ProblemAnswered(
    answer.status,
    problem.code,
    problem.detail,
    problem.errors ?? [],
    wait === undefined ? undefined : wait / 1000,
  );
}
