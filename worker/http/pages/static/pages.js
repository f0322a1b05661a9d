// Behaviour of the pages: local times, live parts, the menu, and questions before a change.
"use strict";

// Shows each <time> in the viewer's zone; its title keeps the time in UTC.
function localizeTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    time.title = moment.toISOString().replace("T", " ").replace(/\.\d+Z$/, " UTC");
    time.textContent = describeTime(moment);
  }
}

// A date and a time of the viewer's language, with no break within either.
function describeTime(moment) {
  const whole = moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
  const hour = moment.toLocaleTimeString(undefined, { timeStyle: "medium" });
  if (!whole.endsWith(" " + hour)) return whole;
  const date = whole.slice(0, -hour.length - 1);
  return date.replaceAll(" ", "\u00a0") + " " + hour.replaceAll(" ", "\u00a0");
}

// Makes `old` what `fresh` is, node by node: focus and scroll positions stay where they are.
function morph(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  morphChildren(old, fresh);
}

// What a node is the same by, wherever it stands: an element's data-key, or its place among the rest.
function keyOf(node) {
  return node.dataset?.key;
}

// Nodes that stay are never moved, as a moved one loses focus: what came is put around them, what
// went is taken away.
function morphChildren(old, fresh) {
  const wanted = [...fresh.childNodes];
  const keys = new Set(wanted.map(keyOf).filter(Boolean));
  const kept = new Map([...old.childNodes].filter(keyOf).map((node) => [keyOf(node), node]));
  let next = old.firstChild;
  for (const node of wanted) {
    const key = keyOf(node);
    if (key) {
      const same = kept.get(key);
      kept.delete(key);
      if (!same) {
        old.insertBefore(node, next);
        continue;
      }
      while (next !== same && next && !(keyOf(next) && keys.has(keyOf(next)))) next = removeAt(next);
      if (next !== same) old.insertBefore(same, next);
      next = same.nextSibling;
      morph(same, node);
    } else if (next && !keyOf(next)) {
      const present = next;
      next = next.nextSibling;
      morph(present, node);
    } else {
      old.insertBefore(node, next);
    }
  }
  while (next) next = removeAt(next);
}

function removeAt(node) {
  const { nextSibling } = node;
  node.remove();
  return nextSibling;
}

// Keeps a part as its event source says: HTML of our own templates.
function follow(part) {
  const source = new EventSource(part.dataset.live);
  source.onmessage = (event) => {
    const fresh = document.createElement("template");
    fresh.innerHTML = event.data;
    localizeTimes(fresh.content);
    morphChildren(part, fresh.content);
    part.removeAttribute("data-stale");
    if (part.querySelector("[data-ended]")) source.close();
  };
  source.onerror = () => {
    part.setAttribute("data-stale", "");
    // Refused, as by a service that stops: browsers give such a source up.
    if (source.readyState === EventSource.CLOSED) setTimeout(follow, 5000, part);
  };
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
// Work that goes on over several pages: its form is sent by itself, after so many milliseconds.
for (const form of document.querySelectorAll("form[data-continues]")) {
  setTimeout(() => form.requestSubmit(), Number(form.dataset.continues));
}
localizeTimes(document);
document.querySelectorAll("[data-live]").forEach(follow);
