// Auth.js with its adapter for PostgreSQL: a user signs in with the provider, which stores an account.
import { Auth, skipCSRFCheck } from "@auth/core";
import PostgresAdapter from "@auth/pg-adapter";
import pg from "pg";

const settings = JSON.parse(process.argv[2]);
const pool = new pg.Pool({ connectionString: settings.database_url });
// As the page of the adapter has it.
await pool.query(`
  CREATE TABLE users (
    id SERIAL PRIMARY KEY, name VARCHAR(255), email VARCHAR(255), "emailVerified" TIMESTAMPTZ, image TEXT
  );
  CREATE TABLE accounts (
    id SERIAL PRIMARY KEY, "userId" INTEGER NOT NULL, type VARCHAR(255) NOT NULL,
    provider VARCHAR(255) NOT NULL, "providerAccountId" VARCHAR(255) NOT NULL,
    refresh_token TEXT, access_token TEXT, expires_at BIGINT, id_token TEXT,
    scope TEXT, session_state TEXT, token_type TEXT
  );
  CREATE TABLE sessions (
    id SERIAL PRIMARY KEY, "userId" INTEGER NOT NULL, expires TIMESTAMPTZ NOT NULL, "sessionToken" VARCHAR(255) NOT NULL
  );
`);

const origin = "http://127.0.0.1:3000";
const config = {
  adapter: PostgresAdapter(pool),
  basePath: "/auth",
  logger: { error: (error) => console.error(error), warn: () => {}, debug: () => {} },
  providers: [
    {
      id: settings.provider,
      name: "House",
      type: "oidc",
      issuer: settings.issuer,
      clientId: settings.client_id,
      clientSecret: settings.client_secret,
      authorization: { params: { scope: "openid email offline_access" } },
    },
  ],
  secret: "of tests alone, but long enough",
  skipCSRFCheck,
  trustHost: true,
};

const cookies = new Map();
async function ask(url, body) {
  const headers = { Cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") };
  if (body) headers["Content-Type"] = "application/x-www-form-urlencoded";
  const answer = await Auth(new Request(url, { method: body ? "POST" : "GET", headers, body }), config);
  for (const cookie of answer.headers.getSetCookie()) {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
    cookies.set(name, value);
  }
  return answer.headers.get("Location");
}

const begun = await ask(`${origin}/auth/signin/${settings.provider}`, "callbackUrl=/");
const consent = new URLSearchParams({ sub: settings.user });
const agreed = await fetch(begun, { method: "POST", body: consent, redirect: "manual" });
const end = await ask(agreed.headers.get("Location"));
await pool.end();
if (new URL(end, origin).pathname !== "/") throw new Error(`the sign-in ended at ${end}`);
