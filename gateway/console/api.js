// The one way to the server: public API only, cookies for the person, a header for the mandate, and one refresh per browser.

import { choices, place, session, tellOtherTabs } from "./tab.js";
import { text } from "./texts.js";

const API = "/api/v1";
const OPEN = `${API}/auth/`;
const EARLY = 15_000;
const RENEWAL = "mandate-renewal";

/** A refusal (RFC 9457), or a server that did not answer. */
export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || text("noAnswer"));
    this.status = status;
    this.code = problem.code;
    this.requestId = problem.request_id;
    this.places = problem.errors;
  }
}

/** Call an operation of the gateway. Answers the parsed body, or null when there is none. Throws Refusal. */
export function call(method, path, body) {
  return request(method, `${API}${path}`, body);
}

/** Call any route of this server in the tab's mandate, with a token renewed when it is about to run out, or has. */
export async function request(method, path, body) {
  if (path.startsWith(OPEN)) return parsed(await send(method, path, body));
  if (session.expires - EARLY < Date.now()) await renew(() => session.expires - EARLY >= Date.now());
  const asked = Date.now();
  let answer = await send(method, path, body);
  if (answer.status === 401 && (await renew(() => session.renewed >= asked))) answer = await send(method, path, body);
  if (answer.status === 401) session.forget();
  return parsed(answer);
}

/** Renew the session: one tab asks, and the others wait for it. False when the session is over. */
async function renew(isDone) {
  const outcome = await navigator.locks.request(RENEWAL, { ifAvailable: true }, async (lock) => {
    if (!lock) return "elsewhere";
    if (!session.known || isDone()) return session.known;
    const answer = await send("POST", `${OPEN}refresh`);
    if (answer.ok) await parsed(answer);
    return answer.ok;
  });
  if (outcome !== "elsewhere") return outcome;
  await navigator.locks.request(RENEWAL, () => {}); // localStorage may not tell yet what the other tab has done
  return true;
}

/** Sign out here and in every other tab of this browser. */
export async function signOut() {
  try {
    await call("POST", "/auth/logout");
  } finally {
    place.leave();
    session.forget();
    tellOtherTabs("signed-out");
  }
}

async function send(method, path, body) {
  const headers = { Accept: "application/json", "Accept-Language": choices.language, "X-Requested-With": "console" };
  if (place.mandate) headers["X-Mandate-Id"] = place.mandate;
  if (place.mandate && place.instance) headers["X-Instance-Id"] = place.instance;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const sent = body === undefined ? undefined : JSON.stringify(body);
  try {
    return await fetch(path, { method, headers, body: sent, credentials: "same-origin", cache: "no-store" });
  } catch {
    throw new Refusal(0, { code: "no_answer" });
  }
}

async function parsed(answer) {
  const content = answer.headers.get("Content-Type") || "";
  const body = answer.status !== 204 && content.includes("json") ? await answer.json() : null;
  if (answer.ok && body && body.access_expires_at) session.remember(lifetime(answer, body.access_expires_at));
  if (answer.ok) return body;
  throw new Refusal(answer.status, body || { code: `http_${answer.status}`, request_id: answer.headers.get("X-Request-Id") });
}

/** How long a token lasts, by the server's clock: this one's may be wrong. */
function lifetime(answer, expires) {
  return Date.parse(expires) - Date.parse(answer.headers.get("Date"));
}
