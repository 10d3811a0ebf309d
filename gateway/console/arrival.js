// From a sign-in to where its person wanted to go, whichever way in they took.

import { choices, offer, place, tellOtherTabs } from "./tab.js";
import { secondFactorWanted } from "./second-factor.js";

/** Somebody has to sign in first to see this page; they go on to it. It survives the way to a provider and back. */
export function wantThisPage() {
  if (location.hash.length > 2) place.wanted = location.hash;
}

/** Where a provider has to send the browser back to. */
export function returnPath() {
  return `/console/${place.wanted}`;
}

/** The end of every way in: `answer` is the session, or says that one proof more is needed. */
export function arrived(answer, draw) {
  if (answer && answer.factors) {
    secondFactorWanted(answer.factors);
    location.hash = "#/second-factor";
    return undefined;
  }
  if (answer && answer.user) adoptLanguage(answer.user);
  place.leave();
  tellOtherTabs("signed-in");
  const next = offer.waits ? "#/connect-identity" : place.wanted || "#/";
  place.wanted = "";
  history.replaceState(null, "", next);
  return draw();
}

/** The server speaks the person's own language to them; so does the page, unless another was chosen here. */
export function adoptLanguage(user) {
  if (user.language && !choices.hasLanguage) choices.language = user.language;
}
