// What somebody proves themselves with: password, passkeys, authenticator app, backup codes.

import { call } from "./api.js";
import { askForm, askSure, copyButton, openDialog, showOnce } from "./dialog.js";
import { action, element, field, form, moment, note } from "./dom.js";
import { icon } from "./icons.js";
import { deeds, listing, panel, row, since } from "./panel.js";
import { passkeysWork, registerPasskey } from "./passkeys.js";
import { newPassword } from "./sign-in.js";
import { text } from "./texts.js";

export function drawPassword(methods) {
  let saved = false;
  return panel(text("password"), text("passwordHint"), async (refresh) => {
    const { password: has } = await call("GET", "/auth/factors");
    const label = text(has ? "passwordChange" : "passwordAdd");
    const choose = async () => {
      const save = ({ password }) => call("POST", "/users/me/password", { password });
      saved = Boolean(await askForm(label, text("save"), save, element("p", {}, text("passwordEnds")), newPassword(methods)));
      if (saved) await refresh();
    };
    return [saved ? note(text("passwordDone")) : "", element("p", {}, text(has ? "passwordSet" : "passwordNone")), deeds(action(label, choose))];
  }, { id: "password" });
}

export function drawPasskeys(changed) {
  return panel(text("passkeys"), text("passkeysHint"), async (refresh) => {
    const { items } = await call("GET", "/auth/passkeys");
    const done = async (made) => {
      if (!made) return;
      await refresh();
      changed.dispatchEvent(new Event("factors"));
    };
    const add = async () => done(await askForm(text("passkeyAdd"), text("passkeyAdd"), ({ name }) => registerPasskey(name), nameField("Passkey")));
    return [
      listing(items.map((each) => passkeyRow(each, refresh, done)), text("passkeysNone")),
      passkeysWork() ? deeds(action(text("passkeyAdd"), add)) : element("p", { class: "small" }, text("passkeyUnsupported")),
    ];
  }, { id: "passkeys" });
}

function passkeyRow(passkey, refresh, done) {
  const { id, name } = passkey;
  const rename = async () => {
    const save = (values) => call("PATCH", `/auth/passkeys/${id}`, values);
    if (await askForm(text("renameWhat", { name }), text("save"), save, nameField(name))) await refresh();
  };
  const remove = async () => done(await askSure(text("removeWhat", { name }), text("removeSure", { name }), text("remove"), () => call("DELETE", `/auth/passkeys/${id}`)));
  return row(
    icon("passkey"),
    name,
    [
      since("created", moment(passkey.created_at, false)),
      passkey.last_used_at ? since("used", moment(passkey.last_used_at)) : text("neverUsed"),
      passkey.backed_up ? text("passkeySynced") : "",
    ],
    action(text("rename"), rename, { "aria-label": text("renameWhat", { name }) }),
    action(text("remove"), remove, { "aria-label": text("removeWhat", { name }) }),
  );
}

function nameField(value) {
  return field(text("passkeyName"), { name: "name", value, maxlength: 80, autocomplete: "off" }, text("passkeyNameHint"));
}

export function drawTotp(changed) {
  return panel(text("totp"), text("totpHintAccount"), async (refresh) => {
    const { totp_since: has } = await call("GET", "/auth/factors");
    const done = async (made) => {
      if (!made) return;
      await refresh();
      changed.dispatchEvent(new Event("factors"));
    };
    const remove = async () => done(await askSure(text("totpRemove"), text("totpRemoveSure"), text("totpRemove"), () => call("DELETE", "/auth/totp")));
    if (has) return listing([row(icon("app"), text("totpSince"), [moment(has)], action(text("totpRemove"), remove))]);
    return [element("p", { class: "empty" }, text("totpNone")), deeds(action(text("totpAdd"), async () => done(await setUpApp())))];
  }, { id: "totp" });
}

async function setUpApp() {
  const seed = await call("POST", "/auth/totp");
  const grouped = seed.secret.replace(/(.{4})(?=.)/g, "$1 ");
  return openDialog(text("totpAdd"), (close) => [
    element("p", {}, text("totpScan")),
    element("img", { class: "qr", alt: text("totpPicture"), src: picture(seed.qr_svg), width: 200, height: 200 }),
    element("p", { class: "secret" }, element("span", { class: "small" }, text("totpSecret")), element("code", {}, grouped), copyButton(seed.secret)),
    form(
      async ({ code }) => {
        await call("POST", "/auth/totp/confirm", { code: code.replaceAll(" ", "") });
        close(true);
      },
      text("confirm"),
      field(text("totpConfirm"), { name: "code", class: "code", inputmode: "numeric", autocomplete: "one-time-code", pattern: "[0-9]{3} ?[0-9]{3}", maxlength: 7 }, text("totpHint")),
    ),
  ]);
}

/** An <svg> element of a page as a picture of its own; no markup of the server becomes part of this page. */
function picture(svg) {
  const named = svg.includes("xmlns=") ? svg : svg.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"');
  return `data:image/svg+xml,${encodeURIComponent(named)}`;
}

export function drawBackupCodes(changed) {
  let again = () => {};
  changed.addEventListener("factors", () => again());
  return panel(text("backup"), text("backupHintAccount"), async (refresh) => {
    again = refresh;
    const factors = await call("GET", "/auth/factors");
    const left = factors.backup_codes_left;
    if (!left && !factors.totp_since && !factors.passkeys) return element("p", { class: "empty" }, text("backupNeeds"));
    const make = async () => {
      const { codes } = await call("POST", "/auth/backup-codes");
      await refresh();
      await showCodes(codes);
    };
    const sure = () => (left ? askSure(text("backupRenew"), text("backupOnce"), text("backupRenew"), async () => true) : true);
    return [
      element("p", { class: left ? "" : "empty" }, left ? text("backupLeft", { count: left }) : text("backupNone")),
      deeds(action(text(left ? "backupRenew" : "backupMake"), async () => (await sure()) && make())),
    ];
  }, { id: "backup-codes" });
}

function showCodes(codes) {
  const print = element("button", { type: "button", class: "quiet", onclick: () => window.print() }, text("print"));
  return showOnce(
    text("backup"),
    element("p", {}, text("backupOnce")),
    element("ol", { class: "codes" }, codes.map((code) => element("li", {}, element("code", {}, code)))),
    deeds(copyButton(codes.join("\n")), print),
  );
}

