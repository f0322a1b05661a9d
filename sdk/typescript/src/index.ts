// Typed client of Cat Feeder's auth worker over HTTP. `api` has every route, typed by
// /openapi.json; the methods are what most apps need.

import { timingSafeEqual } from "node:crypto";
import createClient, { type Client } from "openapi-fetch";
import { InvalidApiKey, JobCancelled, JobFailed, JobTimeout, SignInRefused, StateMismatch } from "./errors.js";
import { PATIENCE, type Patience, retrying } from "./retries.js";
import type { components, operations, paths } from "./schema.js";

export * from "./errors.js";
export { verifyWebhook } from "./webhooks.js";
export type { components, operations, paths } from "./schema.js";
export type { Patience } from "./retries.js";

const POLL_SECONDS = 25;
/** A service that cannot wait, since it stops or has too many that do, is asked no more often. */
const PAUSE_MS = 250;
const ENDS = new Set(["succeeded", "failed", "cancelled"]);

type Schemas = components["schemas"];
interface AnyJob {
  id: string;
  status: Schemas["JobStatus"];
  result?: unknown;
  error?: Schemas["JobFailure"];
}
type Result<J extends AnyJob> = Exclude<J["result"], undefined>;

export interface Options {
  /** The app that an operator's key acts for. */
  app?: string;
  patience?: Partial<Patience>;
  fetch?: typeof fetch;
}

/** The outcome of a login. */
export interface Login {
  valid: boolean;
  newHash?: string;
}

/** Return a client of the service at `url`, without `/v1`; nothing is sent yet. */
export function connect(url: string, apiKey: string, options: Options = {}): CatFeeder {
  return new CatFeeder(url, apiKey, options);
}

export class CatFeeder {
  /** Every route: `api.GET("/v1/connections", {...})`; problems are thrown. */
  readonly api: Client<paths>;

  constructor(url: string, apiKey: string, options: Options) {
    // The error of a header would show it.
    if (!/^[!-~]+$/.test(apiKey)) throw new InvalidApiKey();
    const headers = { Authorization: `Bearer ${apiKey}`, ...(options.app && { "Catfeeder-App": options.app }) };
    const patience = { ...PATIENCE, ...options.patience };
    this.api = createClient<paths>({ baseUrl: url, headers, fetch: retrying(patience, options.fetch) });
  }

  async hashPassword(password: string, more: Omit<Schemas["HashPassword"], "password"> = {}) {
    return this.result(this.api.POST("/v1/passwords/hash", { body: { password, ...more } }));
  }

  /** Null as the hash where there is no such user. */
  async checkPassword(password: string, passwordHash: string | null, rehash = true, scheme?: Schemas["CheckPassword"]["scheme"]) {
    const body = { password, password_hash: passwordHash, rehash, ...(scheme && { scheme }) };
    return this.result(this.api.POST("/v1/passwords/check", { body }));
  }

  /**
   * Check a password at a login: null as the hash where there is no such user, which takes as long.
   * Store `newHash`, where there is one, in place of the hash that was checked.
   */
  async login(password: string, passwordHash: string | null, scheme?: Schemas["CheckPassword"]["scheme"]): Promise<Login> {
    const check = await this.checkPassword(password, passwordHash, true, scheme);
    return { valid: check.valid, ...(check.valid && check.password_hash && { newHash: check.password_hash }) };
  }

  /** Say whether a new password would be taken, and why not. */
  async checkPolicy(password: string, more: Omit<Schemas["PolicyPassword"], "password"> = {}) {
    return (await this.api.POST("/v1/passwords/policy", { body: { password, ...more } })).data!;
  }

  /** Begin a sign-in by relay: keep `state` in the user's session, and redirect the browser. */
  async beginSignIn(provider: string, returnTo: string, more: Partial<Schemas["Authorize"]> = {}) {
    const body = { unbound: false, ...more, relay: true, return_to: returnTo };
    const begun = await this.api.POST("/v1/oauth/{provider}/authorize", { params: { path: { provider } }, body });
    return begun.data!;
  }

  /** Redeem what came back, if it is this session's: `state` is what the session kept. */
  async finishSignIn(query: URLSearchParams, state: string | undefined) {
    if (!state || !isEqual(query.get("state") ?? "", state)) throw new StateMismatch();
    const code = query.get("code");
    if (code === null) throw new SignInRefused(query.get("error") ?? "no_code");
    const iss = query.get("iss");
    const body = { code, state, ...(iss !== null && { iss }) };
    const provider = state.split(":").at(-1)!;
    return this.result(this.api.POST("/v1/oauth/{provider}/exchange", { params: { path: { provider } }, body }));
  }

  /** Return a token that can be used now; `query` asks for a narrower one. */
  async readConnectionToken(connectionId: string, query: operations["read_connection_token"]["parameters"]["query"] = {}) {
    const params = { path: { connection_id: connectionId }, query };
    return (await this.api.GET("/v1/connections/{connection_id}/token", { params })).data!;
  }

  /** Wait for the job of an answer, and return its result. */
  async result<J extends AnyJob>(answer: Promise<{ data?: J }>, seconds = 60): Promise<Result<J>> {
    let job: AnyJob = (await answer).data!;
    const deadline = Date.now() + seconds * 1000;
    while (job.status !== "succeeded") {
      if (job.status === "failed") throw new JobFailed(job.error!.code, job.error!.detail, job.error!.permanent);
      if (job.status === "cancelled") throw new JobCancelled();
      const asked = Date.now();
      if (asked >= deadline) throw new JobTimeout(job.id);
      const wait = Math.max(1, Math.min(POLL_SECONDS, Math.floor((deadline - asked) / 1000)));
      const params = { path: { job_id: job.id }, header: { Prefer: `wait=${wait}` } };
      job = (await this.api.GET("/v1/jobs/{job_id}", { params })).data as AnyJob;
      const pause = asked + PAUSE_MS - Date.now();
      if (!ENDS.has(job.status) && pause > 0) await new Promise((resume) => setTimeout(resume, pause));
    }
    return job.result as Result<J>;
  }
}

function isEqual(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)];
  return left.length === right.length && timingSafeEqual(left, right);
}
