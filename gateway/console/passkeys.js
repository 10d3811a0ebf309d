// Passkeys: made by whoever is signed in, and shown to sign in, to complete a sign-in, or to confirm that one is there.

import { call } from "./api.js";

/** Whether this browser makes passkeys here; it does not on a page without a name of its own, or an unsafe one. */
export function passkeysWork() {
  return Boolean(window.PublicKeyCredential?.parseCreationOptionsFromJSON && window.isSecureContext);
}

/** Make a passkey called `name` for whoever is signed in. Answers it as the list of passkeys shows it. Throws Refusal,
 *  or the browser's DOMException when the person changed their mind (NotAllowedError) or has one (InvalidStateError). */
export async function registerPasskey(name) {
  const { public_key: options } = await call("POST", "/auth/passkeys/options");
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  const credential = await navigator.credentials.create({ publicKey });
  return call("POST", "/auth/passkeys", { name, credential: credential.toJSON() });
}

/** Sign in with a passkey alone. Answers the user and the session. */
export async function signInWithPasskey() {
  const credential = await shown("/auth/passkeys/sign-in/options");
  return call("POST", "/auth/passkeys/sign-in", { credential });
}

/** Complete a sign-in that waits for a second factor. Answers the user and the session. */
export async function completeWithPasskey() {
  return call("POST", "/auth/second-factor", { passkey: await shown("/auth/second-factor/passkey-options") });
}

/** Confirm that it is you. Answers the user and the new session. */
export async function stepUpWithPasskey() {
  return call("POST", "/auth/step-up", { passkey: await shown("/auth/step-up/passkey-options") });
}

async function shown(path) {
  const { public_key: options } = await call("POST", path);
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  return (await navigator.credentials.get({ publicKey })).toJSON();
}
