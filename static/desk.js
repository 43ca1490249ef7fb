// What the review desk can do beyond its pages: keys, drafts of notes, holding the open order, and a list that keeps
// itself up to date. Each page works without it.

import { showTimes } from "./review.js";

const LOOK_MS = 6_000;
const HOLD_MS = 60_000;  // a hold ends by itself after three minutes
const keysOn = document.getElementById("keys-on");

// --- keys: the element that a key belongs to says so itself, in aria-keyshortcuts ---

const links = () => [...document.querySelectorAll("#open th a")];
const current = () => document.activeElement.closest("tr")?.querySelector("th a") ?? links()[0];

function move(step) {
  const all = links();
  const here = all.indexOf(document.activeElement.closest("tr")?.querySelector("th a"));
  all[Math.max(0, Math.min(here + step, all.length - 1))]?.focus();
}

function press(key) {
  const target = document.querySelector(`[aria-keyshortcuts="${CSS.escape(key)}"]`);
  if (target?.matches("fieldset")) (target.querySelector(":checked") ?? target.querySelector("input")).focus();
  else if (target) target.click();
  else if (key === "n") note()?.focus();
  else if (!current()) return false;
  else if (key === "j") move(1);
  else if (key === "k") move(-1);
  else if (key === "x") current().closest("tr").querySelector("input").click();
  else if (key === "a" || key === "r") location.assign(`${current().href}#${key}`);
  else return false;
  return true;
}

const note = () => (document.activeElement.closest(".decide form") ?? document).querySelector("[name=note]");

addEventListener("keydown", (event) => {
  const form = event.target.closest?.(".approve, .reject");
  if (event.ctrlKey && event.key === "Enter" && form) form.requestSubmit(form.querySelector("[name=decision]"));
  const writes = event.target.matches?.("textarea, select, input:not([type=radio], [type=checkbox])");
  if (writes || event.ctrlKey || event.metaKey || event.altKey || !keysOn?.checked) return;
  const reason = form && /^[1-9]$/.test(event.key) ? form.querySelectorAll("[name=reason]")[event.key - 1] : null;
  reason?.click();
  reason?.focus();
  if (reason || press(event.key)) event.preventDefault();
});

if (keysOn) {
  keysOn.checked = localStorage.getItem("keys") !== "off";
  keysOn.addEventListener("change", () => localStorage.setItem("keys", keysOn.checked ? "on" : "off"));
}
// A row's a and r open its order with this fragment. It is used up, or a redirect would hand it on to the next order.
const fragment = location.hash;
if (["#a", "#r"].includes(fragment)) {
  history.replaceState(null, "", location.pathname + location.search);
  if (document.querySelector(".decide")) press(fragment[1]);
}

// --- drafts: in this tab only, until the decision is made or somebody logs out ---

for (const field of document.querySelectorAll("[data-draft]")) {
  field.value ||= sessionStorage.getItem(field.dataset.draft) ?? "";
  field.addEventListener("input", () => sessionStorage.setItem(field.dataset.draft, field.value));
}

let sending = null;  // the form that is on its way: sent again, its answer would be the refusal of the second one
addEventListener("pageshow", () => { sending = null; });  // perhaps come back to
addEventListener("submit", (event) => {
  if (sending) {
    event.preventDefault();
    return;
  }
  sending = event.target;
  asking?.abort();
  const draft = event.target.querySelector("[data-draft]");
  if (draft) sessionStorage.setItem("sent", draft.dataset.draft.replace(/\w+$/, ""));
  if (event.target.closest(".staff")) sessionStorage.clear();
});

const sent = sessionStorage.getItem("sent");
// A decision that was refused is back on its form, or says so; of any other, the draft has done its work.
if (sent && !document.querySelector(`[data-refused], [data-draft^="${sent}"]`)) {
  for (const verdict of ["approve", "reject"]) sessionStorage.removeItem(sent + verdict);
}
sessionStorage.removeItem("sent");

// --- holding: whoever has the order open holds it, and lets it go by leaving ---

const holding = document.querySelector("form[data-hold]");

function hold(decision, signal) {
  const body = new URLSearchParams(new FormData(holding));
  body.set("decision", decision);
  const headers = { Accept: "application/json" };
  return fetch(location.href, { method: "POST", body, headers, keepalive: true, signal })
    .catch(() => ({}));  // no connection: the hold ends by itself, or the next try renews it
}

let asking = null;  // to hold the order: given up when a decision is sent, which would have it refused

async function keep() {
  if (document.hidden || sending) return;
  asking = new AbortController();
  const { status } = await hold("lock", asking.signal);
  if (sending) return;
  if (status === 409) location.reload();  // a colleague has it, or has decided
  holding.hidden = status === 200;
}

if (holding) {
  keep();
  setInterval(keep, HOLD_MS);
  document.addEventListener("visibilitychange", keep);  // opened in the background, it is not held until it is seen
  addEventListener("pagehide", () => sending?.closest(".decide") || hold("leave"));  // else the server lets it go
}

// --- the list ---

const list = document.querySelector("[data-live]");
let etag = list?.dataset.etag;

async function look() {
  if (document.hidden) return;
  let answer;
  try {
    answer = await fetch(list.dataset.live + location.search, { headers: { "If-None-Match": etag }, cache: "no-store" });
  } catch { /* told below */ }
  document.getElementById("lost").hidden = Boolean(answer?.ok || answer?.status === 304);
  if (answer?.redirected) location.reload();  // to the log-in
  else if (answer?.ok) {
    etag = answer.headers.get("ETag");
    takeOver(new DOMParser().parseFromString(await answer.text(), "text/html"));
  }
}

function takeOver(fresh) {
  const ticked = new Set([...list.querySelectorAll(":checked")].map((box) => box.value));
  const boxes = fresh.querySelectorAll("[name=order]");
  for (const box of boxes) box.checked = ticked.has(box.value);
  const focused = document.activeElement.closest("#open tr");
  const where = focused && { number: focused.querySelector("input").value, index: focused.sectionRowIndex };
  const onBox = document.activeElement.matches("[name=order]");
  const link = document.activeElement.closest("#levels a, .pages a")?.href;
  for (const id of ["levels", "open"]) document.getElementById(id).replaceWith(fresh.getElementById(id));
  showTimes();
  const others = [...document.querySelectorAll("#levels a, .pages a")];
  others.find((each) => each.href === link)?.focus({ preventScroll: true });
  if (!where) return;
  const rows = [...list.querySelectorAll("tbody tr")];
  const row = rows.find((each) => each.querySelector("input").value === where.number)
    ?? rows[Math.min(where.index, rows.length - 1)];
  row?.querySelector(onBox ? "input" : "th a").focus({ preventScroll: true });
}

if (list) {
  setInterval(look, LOOK_MS);
  document.addEventListener("visibilitychange", look);
}
