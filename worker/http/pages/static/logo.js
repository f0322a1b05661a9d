// The logo of an app: a picture becomes a field of the form, made smaller where it is too large.
"use strict";

const KINDS = ["image/png", "image/jpeg", "image/webp"];
// As many characters of a data: URL as the server takes, and the box in which pages show it.
const LENGTH = 32768;
const [WIDTH, HEIGHT] = [320, 128];

function readFile(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

async function shrink(url) {
  const picture = new Image();
  picture.src = url;
  await picture.decode();
  for (let scale = Math.min(WIDTH / picture.width, HEIGHT / picture.height, 1); ; scale *= 0.7) {
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(Math.round(picture.width * scale), 1);
    canvas.height = Math.max(Math.round(picture.height * scale), 1);
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    const made = canvas.toDataURL("image/png");
    if (made.length <= LENGTH || canvas.width * canvas.height === 1) return made;
  }
}

// What cannot be drawn is no picture, whatever its name says.
async function toLogo(file) {
  const url = await readFile(file);
  const small = await shrink(url);
  return url.length <= LENGTH ? url : small;
}

for (const field of document.querySelectorAll("[data-logo]")) {
  const value = field.querySelector("input[name=logo]");
  const image = field.querySelector("img");
  const chosen = field.querySelector("input[type=file]");
  const remove = field.querySelector("button");
  const fault = field.querySelector("[data-fault]");
  // Empty, the field keeps the logo that there is.
  const show = (url) => {
    value.value = url || "none";
    image.hidden = remove.hidden = url === "";
    image.src = url || "data:,";
    complain("");
  };
  const complain = (sentence) => {
    fault.textContent = sentence;
    chosen.classList.toggle("is-invalid", sentence !== "");
  };
  chosen.addEventListener("change", async () => {
    const [file] = chosen.files;
    if (!file) return;
    try {
      if (!KINDS.includes(file.type)) throw new TypeError("another kind");
      show(await toLogo(file));
    } catch {
      chosen.value = "";
      complain("This is no PNG, JPEG or WebP picture: choose another file.");
    }
  });
  remove.addEventListener("click", () => {
    chosen.value = "";
    show("");
    chosen.focus();
  });
}
