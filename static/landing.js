import { startClocks } from "./clock.js";

startClocks();

// One click is one claim: the second of a double click stays here. The key in the form is the net under it.
const form = document.querySelector("form[data-once]");
form?.addEventListener("submit", (event) => {
  const button = form.querySelector("[type=submit]");
  if (button.getAttribute("aria-disabled")) return event.preventDefault();
  button.setAttribute("aria-disabled", "true");
  button.dataset.ready = button.textContent;
  button.textContent = button.dataset.busy;
});

// What a person's browser says of itself fits together; the score counts what does not.
if (form) {
  form.elements.client.value = JSON.stringify({
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    languages: navigator.languages,
    platform: navigator.platform,
    touch: navigator.maxTouchPoints > 0,
    webdriver: navigator.webdriver === true,
    screen: [screen.width, screen.height],
  });
}

// Somebody who comes back with the browser's back button finds the form ready again.
addEventListener("pageshow", (event) => {
  const button = form?.querySelector("[aria-disabled]");
  if (!event.persisted || !button) return;
  button.removeAttribute("aria-disabled");
  button.textContent = button.dataset.ready;
});

// A little work that a browser does beside the typing. Without it the claim is taken all the same.
if (form) {
  const { ticket } = form.elements;
  const worker = new Worker(new URL("./ticket.js", import.meta.url));
  worker.onmessage = ({ data }) => (ticket.value = btoa(JSON.stringify(data)));
  worker.postMessage(JSON.parse(ticket.dataset.challenge));
}
