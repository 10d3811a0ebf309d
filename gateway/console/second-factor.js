// The page of whoever has shown one proof and needs another. A provider's callback leads here as well.

import { Refusal, call } from "./api.js";
import { arrived } from "./arrival.js";
import { element, sheet, way } from "./dom.js";
import { factorChoice } from "./factors.js";
import { completeWithPasskey, passkeysWork } from "./passkeys.js";
import { text } from "./texts.js";

let wanted = null;

/** What the server said this person can show. Whoever comes from a provider was not told, and may show any. */
export function secondFactorWanted(factors) {
  wanted = factors;
}

export async function drawSecondFactor(_, draw) {
  const known = wanted || (await call("GET", "/auth/methods")).second_factors;
  const factors = known.filter((name) => name !== "passkey" || passkeysWork());
  const answering = (run) => async (values) => {
    try {
      return await run(values);
    } catch (error) {
      if (error instanceof Refusal && error.code === "pending_sign_in_ended") wanted = null;
      throw error;
    }
  };
  return sheet(
    text("secondFactorTitle"),
    element("p", {}, text("secondFactorWhy")),
    factorChoice(factors, {
      prove: answering((shown) => call("POST", "/auth/second-factor", shown)),
      passkey: answering(completeWithPasskey),
      finish: (answer) => {
        wanted = null;
        return arrived(answer, draw);
      },
      label: text("signIn"),
    }),
    way(text("startAgain"), "#/"),
  );
}
