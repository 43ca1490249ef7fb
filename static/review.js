// Writes times in the reader's zone and counts the time left down.

import { serverNow } from "./clock.js";

const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

for (const time of document.querySelectorAll("time:not([data-left])")) {
  time.textContent = format.format(new Date(time.dateTime));
}

function left(seconds) {
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours ? `${hours} h ${minutes} min` : minutes ? `${minutes} min` : `${seconds} s`;
}

function tick() {
  for (const time of document.querySelectorAll("time[data-left]")) {
    time.textContent = left(Math.max(0, Math.floor((Date.parse(time.dateTime) - serverNow()) / 1000)));
  }
}

setInterval(tick, 1000);
