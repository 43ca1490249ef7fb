// Writes times in the reader's zone and counts them down, or up.

import { serverNow } from "./clock.js";

const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

function left(seconds) {
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours ? `${hours} h ${minutes} min` : minutes ? `${minutes} min` : `${seconds} s`;
}

function tick() {
  for (const time of document.querySelectorAll("time[data-left]")) {
    time.textContent = left(Math.max(0, Math.floor((Date.parse(time.dateTime) - serverNow()) / 1000)));
  }
  for (const time of document.querySelectorAll("time[data-age]")) {
    time.textContent = left(Math.floor((serverNow() - Date.parse(time.dateTime)) / 1000));
  }
  for (const last of document.querySelectorAll("[data-last]")) {
    if (Date.parse(last.dataset.last) <= serverNow()) last.remove();  // in effect, past withdrawing
  }
}

export function showTimes() {
  for (const time of document.querySelectorAll("time:not([data-left], [data-age])")) {
    time.textContent = format.format(new Date(time.dateTime));
  }
  tick();
}

showTimes();
setInterval(tick, 1000);
