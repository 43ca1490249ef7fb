// The order's page keeps itself up to date: it asks for the status as often as the server wants, and takes over the
// fresh page when something has changed.

import { showLocalTimes, startClocks, tick } from "./clock.js";

const page = document.querySelector("[data-status]");
const lost = page.querySelector("[data-lost]");
const news = page.querySelector("[data-news]");  // read aloud when it changes
const HIDDEN_TAB_MS = 60_000;
const LONGEST_PAUSE_MS = 30_000;

let etag = "";
let pollAfter = Number(order().dataset.poll);
let failures = 0;
let timer;

function order() {
  return document.getElementById("order");
}

function again() {
  clearTimeout(timer);
  if (!pollAfter) return;  // final: nothing more will happen
  const pause = failures ? Math.min(pollAfter * 2 ** failures, LONGEST_PAUSE_MS) : pollAfter;
  timer = setTimeout(look, document.hidden ? Math.max(pause, HIDDEN_TAB_MS) : pause);
}

async function look() {
  try {
    const answer = await fetch(page.dataset.status, { headers: etag ? { "If-None-Match": etag } : {}, cache: "no-store" });
    if (answer.status !== 304) {
      if (!answer.ok) throw new Error(answer.statusText);
      const status = await answer.json();
      if (etag || status.status !== order().dataset.state) await takeOver();
      etag = answer.headers.get("ETag") ?? "";
      pollAfter = status.pollAfterMs;
    }
    failures = 0;
  } catch {
    failures += 1;
  }
  lost.hidden = failures < 2;
  again();
}

async function takeOver() {
  const answer = await fetch(location.href, { cache: "no-store" });
  if (!answer.ok) throw new Error(answer.statusText);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("order");
  const hadFocus = order().contains(document.activeElement);
  order().replaceWith(fresh);
  news.textContent = fresh.querySelector("h1").textContent;
  showLocalTimes(fresh);
  tick();
  if (hadFocus) fresh.querySelector("h1").focus();
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && pollAfter) {
    clearTimeout(timer);
    look();
  }
});

startClocks();
again();
