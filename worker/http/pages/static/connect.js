// Forms of the connect page: what is typed is checked as one types, by the patterns of its data.
"use strict";

// A pattern is the server's, which checks again; one that this browser cannot read checks nothing.
function compile(pattern) {
  try {
    return new RegExp(`^(?:${pattern})$`, "u");
  } catch {
    return /^/;
  }
}

// People copy the whole address of their account: the part that is asked for is kept.
function cut(input) {
  let text = input.value.trim();
  const { before, after } = input.dataset;
  if (before && text.startsWith(before)) text = text.slice(before.length);
  if (before && after && text.includes(after)) text = text.slice(0, text.indexOf(after));
  return "small" in input.dataset ? text.toLowerCase() : text;
}

function isValid(input, text) {
  if (input.required && text === "") return false;
  const patterns = JSON.parse(input.dataset.patterns || "[]");
  return patterns.every((pattern) => compile(pattern).test(text));
}

function check(input) {
  const text = input.dataset.patterns ? cut(input) : input.value.trim();
  const valid = isValid(input, text);
  // What can be no part of an address while it is typed is an address that was pasted.
  if (input.dataset.before && input.value.trim().startsWith(input.dataset.before)) input.value = text;
  input.classList.toggle("is-invalid", !valid);
  input.classList.toggle("is-valid", valid && text !== "" && Boolean(input.dataset.patterns));
  input.setAttribute("aria-invalid", String(!valid));
  return valid;
}

for (const form of document.querySelectorAll("form[data-checked]")) {
  const inputs = [...form.querySelectorAll("input.form-control")];
  form.addEventListener("input", (event) => {
    if (inputs.includes(event.target)) check(event.target);
  });
  form.addEventListener("submit", (event) => {
    const wrong = inputs.filter((input) => !check(input));
    if (wrong.length === 0) return;
    event.preventDefault();
    wrong[0].focus();
  });
}
