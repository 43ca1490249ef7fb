// The dashboard takes its own fresh page over every few seconds; what was opened stays open, and the cursor where it is.

import { showLocalTimes } from "./clock.js";

const HIDDEN_TAB_MS = 60_000;
const lost = document.querySelector("[data-lost]");
const news = document.querySelector("[data-news]");  // read aloud when the alarms change
const board = () => document.getElementById("dashboard");
const within = (what) => [...board().querySelectorAll(what)];
const alarms = () => board().querySelector("[data-alarms]")?.textContent.replace(/\s+/g, " ").trim() ?? "";

async function takeOver() {
  const answer = await fetch(location.href, { cache: "no-store" });
  if (!answer.ok || answer.redirected) throw new Error(answer.statusText);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("dashboard");
  const said = alarms();
  const open = within("details").map((details) => details.open);
  const scrolled = within(".scroll").map((box) => box.scrollLeft);
  const focused = within("a, summary, .scroll").indexOf(document.activeElement);
  board().replaceWith(fresh);
  within("details").forEach((details, n) => { details.open = open[n] ?? false; });
  within(".scroll").forEach((box, n) => { box.scrollLeft = scrolled[n] ?? 0; });
  if (focused >= 0) within("a, summary, .scroll")[focused]?.focus({ preventScroll: true });
  showLocalTimes(fresh);
  if (alarms() !== said) news.textContent = alarms();
}

function again() {
  setTimeout(async () => {
    try {
      await takeOver();
      lost.hidden = true;
    } catch {
      lost.hidden = false;
    }
    again();
  }, document.hidden ? HIDDEN_TAB_MS : board().dataset.every * 1000);
}

showLocalTimes();
if (board()) again();
