// Typed errors: each has a `code` for programs and a sentence for people, and holds no secret.

export interface Fault {
  pointer?: string;
  parameter?: string;
  code: string;
  detail: string;
}

export class CatFeederError extends Error {
  constructor(
    readonly code: string,
    detail: string,
    /** False where the same may succeed a moment later. */
    readonly permanent: boolean = true,
  ) {
    super(detail);
    this.name = new.target.name;
  }
}

/** The service refused a request, by a problem of RFC 9457. */
export class ProblemAnswered extends CatFeederError {
  constructor(
    readonly status: number,
    code: string,
    detail: string,
    readonly errors: Fault[],
    readonly retryAfter: number | undefined,
  ) {
    super(code, detail, ![408, 429, 502, 503, 504].includes(status));
  }
}

/** The API key cannot be one, such as with the line break of its file; it is not repeated. */
export class InvalidApiKey extends CatFeederError {
  constructor() {
    super("invalid_api_key", "The API key must be of visible ASCII characters, without spaces.");
  }
}

export class ServiceUnreachable extends CatFeederError {
  constructor() {
    super("service_unreachable", "The service did not answer over HTTP: check the URL and that it runs.", false);
  }
}

export class JobFailed extends CatFeederError {}

export class JobCancelled extends CatFeederError {
  constructor() {
    super("job_cancelled", "The job was cancelled before it started.");
  }
}

export class JobTimeout extends CatFeederError {
  constructor(readonly jobId: string) {
    super("job_timeout", "The job did not end in the time given; it may still do so.", false);
  }
}

/** The provider signed nobody in; `code` is its word, such as `access_denied`. */
export class SignInRefused extends CatFeederError {
  constructor(code: string) {
    super(code, "The provider did not sign the user in.");
  }
}

/** The browser that came back is not the one that began: nothing was redeemed. */
export class StateMismatch extends CatFeederError {
  constructor() {
    super("state_mismatch", "The sign-in was not begun in this browser's session.");
  }
}

export class WebhookNotOurs extends CatFeederError {
  constructor(detail: string) {
    super("webhook_not_ours", detail);
  }
}
