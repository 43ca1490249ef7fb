// The page works without this: it only counts down and guards against a second click.

const countdown = document.querySelector("[data-countdown]");

if (countdown) {
  // Counted from the server's clock: only the time that has passed here is measured here.
  const left = (countdown.dataset.expires - countdown.dataset.now) * 1000;
  const begun = performance.now();
  const tick = () => {
    const seconds = Math.ceil((left - (performance.now() - begun)) / 1000);
    if (seconds <= 0) {
      clearInterval(timer);
      countdown.textContent = "now closed";
      setTimeout(() => location.replace(location.href), 1000);
      return;
    }
    const hours = Math.floor(seconds / 3600);
    const clock = [Math.floor(seconds / 60) % 60, seconds % 60].map((part) => String(part).padStart(2, "0"));
    countdown.textContent = `${(hours ? [hours, ...clock] : clock).join(":")} left`;
  };
  const timer = setInterval(tick, 1000);
  tick();
}

for (const time of document.querySelectorAll("time")) {
  time.textContent = new Date(time.dateTime).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", () => {
    // After this event: a disabled button at once would stop the form in some browsers.
    setTimeout(() => document.querySelectorAll("form[data-once] button").forEach((button) => (button.disabled = true)));
  });
}

// Back from the shop by the browser's button: the page may be pressed again.
addEventListener("pageshow", (event) => {
  if (event.persisted) document.querySelectorAll("button[disabled]").forEach((button) => (button.disabled = false));
});
