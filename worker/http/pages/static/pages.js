// Behaviour of the pages: local times, live parts, the menu, and questions before a change.
"use strict";

// Shows each <time> in the viewer's zone; its title keeps the time in UTC.
function localizeTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    time.title = moment.toISOString().replace("T", " ").replace(/\.\d+Z$/, " UTC");
    time.textContent = moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
  }
}

// Replaces a part by what its event source sends: HTML of our own templates.
function follow(part) {
  const source = new EventSource(part.dataset.live);
  source.onmessage = (event) => {
    part.innerHTML = event.data;
    localizeTimes(part);
    if (part.querySelector("[data-ended]")) source.close();
  };
  source.onerror = () => part.setAttribute("data-stale", "");
  source.onopen = () => part.removeAttribute("data-stale");
}

function toggle(button) {
  const target = document.getElementById(button.dataset.toggles);
  const isShown = target.classList.toggle("show");
  button.setAttribute("aria-expanded", String(isShown));
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-toggles]");
  if (button) toggle(button);
});
document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.question || event.target.dataset.question;
  if (question && !confirm(question)) event.preventDefault();
});
localizeTimes(document);
document.querySelectorAll("[data-live]").forEach(follow);
