// Where the person is signed in, and ending it there.

import { call, signOut } from "./api.js";
import { askSure } from "./dialog.js";
import { action, moment } from "./dom.js";
import { icon } from "./icons.js";
import { deeds, listing, panel, row, since, tag } from "./panel.js";
import { hasText, text } from "./texts.js";

export function drawSessions(methods, draw) {
  const labels = new Map(methods.methods.map((method) => [method.name, method.display_name]));
  return panel(text("sessions"), text("sessionsHint"), async (refresh) => {
    const { items } = await call("GET", "/auth/sessions");
    const sorted = [...items.filter((each) => each.current), ...items.filter((each) => !each.current)];
    const endOthers = async () => {
      if (await askSure(text("sessionsEndOthers"), text("sessionsEndOthersSure"), text("sessionsEndOthers"), () => call("DELETE", "/auth/sessions"))) await refresh();
    };
    const endAll = async () => {
      if (await askSure(text("sessionsEndAll"), text("sessionsEndAllSure"), text("sessionsEndAll"), () => signOut(true))) await draw();
    };
    return [
      listing(sorted.map((each) => sessionRow(each, labels, refresh))),
      deeds(items.length > 1 ? action(text("sessionsEndOthers"), endOthers) : "", action(text("sessionsEndAll"), endAll)),
    ];
  }, { id: "sessions" });
}

function sessionRow(session, labels, refresh) {
  const name = session.device_name || session.ip;
  const end = async () => {
    const run = () => call("DELETE", `/auth/sessions/${session.id}`);
    if (await askSure(text("sessionEndWhat", { name }), text("sessionEndSure", { name }), text("sessionEnd"), run)) await refresh();
  };
  return row(
    icon("device"),
    session.current ? [name, " ", tag(text("sessionHere"))] : name,
    [
      text("sessionBy", { way: wayOf(session.authority, labels) }),
      session.amr.includes("mfa") ? text("sessionFactors") : "",
      session.ip,
      session.place,
      since("created", moment(session.created_at)),
      since("sessionSeen", moment(session.last_seen_at)),
    ],
    session.current ? "" : action(text("sessionEnd"), end, { "aria-label": text("sessionEndWhat", { name }) }),
  );
}

function wayOf(authority, labels) {
  return hasText(`by_${authority}`) ? text(`by_${authority}`) : labels.get(authority) || authority;
}
