// What this tab and this browser remember: the tab its mandate and instance, the browser its language and colours.

const channel = new BroadcastChannel("mandate-console");

/** The mandate and the instance this tab works in. `window.open` copies sessionStorage; a new tab starts without. */
export const place = {
  get mandate() {
    return sessionStorage.getItem("mandate");
  },
  get instance() {
    return sessionStorage.getItem("instance");
  },
  enter(mandateId) {
    if (mandateId !== this.mandate) sessionStorage.removeItem("instance");
    sessionStorage.setItem("mandate", mandateId);
  },
  enterInstance(instanceId) {
    if (instanceId) sessionStorage.setItem("instance", instanceId);
    else sessionStorage.removeItem("instance");
  },
  leave() {
    sessionStorage.removeItem("mandate");
    sessionStorage.removeItem("instance");
  },
  /** The page that was asked for by somebody who has to sign in first; empty when none was. */
  get wanted() {
    return sessionStorage.getItem("wanted") || "";
  },
  set wanted(address) {
    if (address) sessionStorage.setItem("wanted", address);
    else sessionStorage.removeItem("wanted");
  },
  /** The data connection this tab has gone to a provider for: its `provider`, the id of the one it had `before`, and
   *  why it was `refused`. */
  get connecting() {
    return JSON.parse(sessionStorage.getItem("connecting"));
  },
  set connecting(connection) {
    if (connection) sessionStorage.setItem("connecting", JSON.stringify(connection));
    else sessionStorage.removeItem("connecting");
  },
};

/** What this browser knows of its session; the tokens are cookies no script can read. */
export const session = {
  /** In single-user mode whoever connects is signed in, and there is nothing to renew. */
  local: false,
  get known() {
    return this.local || localStorage.getItem("session-expires") !== null;
  },
  get expires() {
    return Number(localStorage.getItem("session-expires"));
  },
  get renewed() {
    return Number(localStorage.getItem("session-renewed"));
  },
  remember(milliseconds) {
    localStorage.setItem("session-renewed", String(Date.now()));
    localStorage.setItem("session-expires", String(Date.now() + milliseconds));
  },
  forget() {
    localStorage.removeItem("session-renewed");
    localStorage.removeItem("session-expires");
  },
};

/** Tell the other tabs of this browser: `signed-in` or `signed-out`. */
export function tellOtherTabs(news) {
  channel.postMessage({ news, lasts: session.expires - Date.now() });
}

/** Hear what other tabs tell. What they have written into localStorage may arrive here later than their message. */
export function hearOtherTabs(listener) {
  channel.addEventListener("message", ({ data: { news, lasts } }) => {
    if (news === "signed-in") session.remember(lasts);
    if (news === "signed-out") {
      session.forget();
      place.leave();
    }
    listener(news);
  });
}

/** A sign-in at a provider waits in this browser to be connected with an account; its cookie lasts as long. */
export const offer = {
  get waits() {
    return Number(localStorage.getItem("offer-ends")) > Date.now();
  },
  keep() {
    localStorage.setItem("offer-ends", String(Date.now() + 3_600_000));
  },
  forget() {
    localStorage.removeItem("offer-ends");
  },
};

export const choices = {
  get hasLanguage() {
    return localStorage.getItem("language") !== null;
  },
  get language() {
    return localStorage.getItem("language") || (navigator.language.startsWith("de") ? "de" : "en");
  },
  set language(language) {
    localStorage.setItem("language", language);
  },
  get colours() {
    return localStorage.getItem("colours") || "auto";
  },
  set colours(colours) {
    localStorage.setItem("colours", colours);
  },
};
