// Time as the server counts it, shown in the reader's zone.

const anchor = document.querySelector("[data-now]");
const offset = anchor ? Number(anchor.dataset.now) * 1000 - performance.now() : Date.now() - performance.now();

export const serverNow = () => performance.now() + offset;

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", hour: "2-digit", minute: "2-digit" });
const year = new Intl.DateTimeFormat(undefined, { dateStyle: "long", timeStyle: "short" });

function local(at) {
  const now = new Date(serverNow());
  if (at.toDateString() === now.toDateString()) return clock.format(at);
  return (at.getFullYear() === now.getFullYear() ? day : year).format(at);
}

export function showLocalTimes(root = document) {
  for (const time of root.querySelectorAll("time[data-local]")) {
    const at = new Date(time.dateTime);
    time.textContent = local(at);
    time.title = at.toString();
  }
}

function left(seconds) {
  const two = (number) => String(number).padStart(2, "0");
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor(seconds / 3600) % 24;
  const rest = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  if (days) return `${days.toLocaleString()} ${days === 1 ? "day" : "days"} ${two(hours)}:${rest}`;
  return hours ? `${two(hours)}:${rest}` : rest;
}

// Count down to each moment on the page; `data-then` says what to do when it has come.
export function tick() {
  for (const clock of document.querySelectorAll("[data-countdown]")) {
    const seconds = Math.ceil(Number(clock.dataset.countdown) - serverNow() / 1000);
    clock.textContent = left(Math.max(0, seconds));
    if (seconds <= 0 && clock.dataset.then === "reload") {
      clock.dataset.then = "";
      // Everyone's clock ends at the same moment: spread the rush over a second and a half.
      setTimeout(() => location.reload(), 500 + Math.random() * 1500);
    }
  }
}

export function startClocks() {
  showLocalTimes();
  tick();
  setInterval(tick, 1000);
}
