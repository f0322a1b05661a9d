// Express: login, callback and logout, with the client of `make sdk`.
//
// Sessions are those of express-session: the cookie holds a signed id, which is another one after
// each sign-in. They are kept here, so that a copy of the cookie is worth nothing after the logout.

import { CatFeederError } from "catfeeder-http";
import express from "express";
import session from "express-session";
import { LRUCache } from "lru-cache";

const MINUTES = 60 * 1000;
const COOKIE_NAME = "__Host-session";
// Lax: the provider's redirect has to bring the cookie along.
const COOKIE = { secure: true, httpOnly: true, sameSite: "lax", path: "/" };
const LIFETIME = 8 * 60 * MINUTES;

/** Sessions of one process: so many, for so long; those who begin a sign-in end nobody's. */
export class Sessions extends session.Store {
  users = new LRUCache({ max: 10_000, ttl: LIFETIME, noUpdateTTL: true });
  visitors = new LRUCache({ max: 10_000, ttl: 10 * MINUTES });

  get(id, done) {
    done(null, JSON.parse(this.users.get(id) ?? this.visitors.get(id) ?? "null"));
  }

  set(id, content, done) {
    (content.user ? this.users : this.visitors).set(id, JSON.stringify(content));
    done?.(null);
  }

  destroy(id, done) {
    this.users.delete(id);
    this.visitors.delete(id);
    done?.(null);
  }
}

/** Return the app; `catfeeder` is what `connect` of catfeeder-http returns. */
export function createApp(catfeeder, provider, secret, ownUrl) {
  const app = express();
  // TLS ends at a proxy, which says so: without this no Secure cookie is set.
  app.set("trust proxy", 1);
  const cookie = { ...COOKIE, maxAge: LIFETIME };
  app.use(session({ name: COOKIE_NAME, secret, cookie, store: new Sessions(), resave: false, saveUninitialized: false }));
  addSignIn(app, catfeeder, provider, ownUrl);
  addSession(app);
  app.use((error, _request, response, next) => {
    // What the client throws on purpose; the browser is signed in as before.
    if (!(error instanceof CatFeederError) || response.headersSent) return next(error);
    console.warn("No sign-in: %s", error.code);
    response.status(error.permanent ? 400 : 503).json({ code: error.code });
  });
  return app;
}

function addSignIn(app, catfeeder, provider, ownUrl) {
  app.get("/login", async (request, response) => {
    const begun = await catfeeder.beginSignIn(provider, `${ownUrl}/signed-in`);
    request.session.state = begun.state;
    response.redirect(303, begun.authorization_url);
  });

  app.get("/signed-in", async (request, response) => {
    const { state } = request.session;
    delete request.session.state;
    const query = new URL(request.originalUrl, ownUrl).searchParams;
    const connection = await catfeeder.finishSignIn(query, state);
    // A session that was there before the sign-in ends with it.
    await new Promise((resolve, reject) => {
      request.session.regenerate((error) => (error ? reject(error) : resolve()));
    });
    request.session.user = `${connection.provider}:${connection.profile.subject}`;
    response.redirect(303, "/");
  });
}

function addSession(app) {
  // By POST alone, with SameSite=Lax: no other site can log the user out.
  app.post("/logout", (request, response, next) => {
    request.session.destroy((error) => (error ? next(error) : response.clearCookie(COOKIE_NAME, COOKIE).redirect(303, "/")));
  });
  app.all("/logout", (_request, response) => response.set("Allow", "POST").sendStatus(405));

  app.get("/", (request, response) => response.json({ user: request.session.user ?? null }));
}
