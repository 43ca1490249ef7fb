// The dashboard takes its own fresh page over every few seconds; what was opened stays open, and the cursor where it is.

import { showLocalTimes } from "./clock.js";

const HIDDEN_TAB_MS = 60_000;
const lost = document.querySelector("[data-lost]");
const news = document.querySelector("[data-news]");  // read aloud when an alarm comes or goes
const board = () => document.getElementById("dashboard");
const within = (what) => [...board().querySelectorAll(what)];
const alarms = () => within("[data-code]").map((alarm) => alarm.dataset.code).join();
const named = (element) => element.getAttribute("href") ?? element.getAttribute("aria-label") ?? element.textContent;

function takeOver(page) {
  const fresh = new DOMParser().parseFromString(page, "text/html").getElementById("dashboard");
  const said = alarms();
  const open = within("details").map((details) => details.open);
  const scrolled = within(".scroll").map((box) => box.scrollLeft);
  const focused = board().contains(document.activeElement) && named(document.activeElement);
  board().replaceWith(fresh);
  within("details").forEach((details, n) => { details.open = open[n] ?? false; });
  within(".scroll").forEach((box, n) => { box.scrollLeft = scrolled[n] ?? 0; });
  if (focused) within("a, summary, .scroll").find((one) => named(one) === focused)?.focus({ preventScroll: true });
  showLocalTimes(fresh);
  if (alarms() !== said) news.textContent = fresh.querySelector("[data-alarms]").textContent.replace(/\s+/g, " ").trim();
}

async function look() {
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (answer.redirected || answer.status === 403) return location.reload();  // logged out: the page itself says so
    if (!answer.ok) throw new Error(answer.statusText);
    takeOver(await answer.text());
    lost.hidden = true;
  } catch {
    lost.hidden = false;
  }
  again();
}

function again() {
  setTimeout(look, document.hidden ? HIDDEN_TAB_MS : board().dataset.every * 1000);
}

showLocalTimes();
if (board()) again();
