// Colour scheme: follows the browser's, before the first paint.
"use strict";
const dark = matchMedia("(prefers-color-scheme: dark)");
const applyTheme = () => { document.documentElement.dataset.bsTheme = dark.matches ? "dark" : "light"; };
dark.addEventListener("change", applyTheme);
applyTheme();
