// Every text of the console in English and German, side by side, so that neither can be forgotten.

import { choices } from "./tab.js";
import { ACCOUNT_TEXTS } from "./texts-account.js";
import { CONNECTION_TEXTS } from "./texts-connections.js";
import { SIGN_IN_TEXTS } from "./texts-sign-in.js";

const TEXTS = {
  ...SIGN_IN_TEXTS,
  ...ACCOUNT_TEXTS,
  ...CONNECTION_TEXTS,
  skip: ["Skip to the content", "Zum Inhalt springen"],
  language: ["Deutsch", "English"],
  colours: ["Colours: {colours}", "Farben: {colours}"],
  auto: ["system", "System"],
  light: ["light", "hell"],
  dark: ["dark", "dunkel"],
  chooseMandate: ["Choose the mandate of this tab", "Mandant dieses Tabs wählen"],
  chooseHint: ["Every tab has its own. Open another tab to work in two at the same time.", "Jeder Tab hat seinen eigenen. In einem zweiten Tab können Sie gleichzeitig in einem anderen arbeiten."],
  noMandate: ["You are in no mandate yet. Somebody who administers one can invite you.", "Sie sind noch in keinem Mandanten. Wer einen verwaltet, kann Sie einladen."],
  joinable: ["Mandates you may join", "Mandanten, denen Sie beitreten können"],
  joinableHint: ["Your sign-in proved an address at one of their domains.", "Ihre Anmeldung hat eine Adresse bei einer ihrer Domains nachgewiesen."],
  join: ["Join", "Beitreten"],
  joinWhat: ["Join {mandate}", "{mandate} beitreten"],
  anotherMandate: ["Another mandate", "Anderer Mandant"],
  you: ["You, here", "Sie, hier"],
  roles: ["Roles", "Rollen"],
  groups: ["Groups", "Gruppen"],
  none: ["none", "keine"],
  via: ["Here as", "Hier als"],
  membership: ["member", "Mitglied"],
  entry: ["visiting sysadmin", "besuchender Sysadmin"],
  instance: ["Instance", "Instanz"],
  noInstance: ["no instance", "keine Instanz"],
  mayDo: ["What you may do here", "Was Sie hier dürfen"],
  item: ["Item", "Gegenstand"],
  view: ["view", "sehen"],
  create: ["create", "anlegen"],
  read: ["read", "lesen"],
  update: ["change", "ändern"],
  delete: ["delete", "löschen"],
  levelNone: ["–", "–"],
  levelMy: ["my own", "eigene"],
  levelGroup: ["my groups’", "der Gruppen"],
  levelAll: ["all", "alle"],
  levelYes: ["yes", "ja"],
  reload: ["Ask again", "Neu fragen"],
  invoices: ["Invoices", "Rechnungen"],
  pettyCash: ["Petty cash", "Handkasse"],
  number: ["Number", "Nummer"],
  customer: ["Customer", "Kunde"],
  amount: ["Amount", "Betrag"],
  margin: ["Margin", "Marge"],
  owner: ["Owner", "Eigentümer"],
  mine: ["me", "ich"],
  somebody: ["somebody else", "jemand anders"],
  add: ["Add", "Hinzufügen"],
  remove: ["Remove", "Entfernen"],
  purpose: ["Purpose", "Zweck"],
  empty: ["Nothing here.", "Nichts da."],
  signedOutElsewhere: ["You signed out in another tab.", "Sie haben sich in einem anderen Tab abgemeldet."],
  noAnswer: ["The server does not answer. Try again in a moment.", "Der Server antwortet nicht. Versuchen Sie es gleich noch einmal."],
  back: ["Back", "Zurück"],
};

/** Whether there is a text of this name. */
export function hasText(name) {
  return Object.hasOwn(TEXTS, name);
}

/** The text of this name in the language chosen, with its placeholders filled. */
export function text(name, values = {}) {
  const chosen = TEXTS[name][choices.language === "de" ? 1 : 0];
  return chosen.replace(/\{(\w+)\}/g, (_, key) => values[key]);
}
