// Signing in: a name that is touched and a PIN, or a badge that a scanner types.
"use strict";

const LONGEST = 12; // digits
const GAP = 500; // ms, after which what was typed is no badge
const field = document.querySelector("#name");
const said = document.querySelector("#said");
let pin = "";
let name = "";
let burst = "";
let lastKey = 0;
let asking = false;

function show() {
  document.querySelector("#dots").textContent = "•".repeat(pin.length);
}

function choose(chosen) {
  name = chosen;
  for (const each of document.querySelectorAll(".person")) each.setAttribute("aria-pressed", each.dataset.name === name);
  said.textContent = "";
}

function digit(key) {
  if (pin.length < LONGEST) pin += key;
  said.textContent = "";
  show();
}

function erase() {
  pin = pin.slice(0, -1);
  show();
}

// A page of ours, never another site's: what is given begins with our own address.
function target(home) {
  const to = document.body.dataset.to;
  if (!to || home !== "/") return home;
  const url = new URL(to, location.origin);
  return url.origin === location.origin ? url.pathname + url.search : home;
}

async function ask(body) {
  if (asking) return;
  asking = true;
  const response = await fetch("/api/sign-in", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  }).catch(() => null);
  asking = false;
  pin = "";
  show();
  if (response?.ok) {
    location.replace(target((await response.json()).home));
    return;
  }
  const { unreachable, refused, wait } = document.body.dataset;
  const seconds = response?.headers.get("Retry-After");
  said.textContent = response === null || response.status >= 500 ? unreachable : seconds ? `${wait} ${seconds} s` : refused;
}

function enter() {
  const who = name || field.value.trim();
  if (!who || !pin) said.textContent = document.body.dataset.choose;
  else ask({ name: who, pin });
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.name !== undefined) { field.value = ""; choose(button.dataset.name); }
  else if (button.dataset.digit) digit(button.dataset.digit);
  else if ("erase" in button.dataset) erase();
  else if ("enter" in button.dataset) enter();
});

field.addEventListener("input", () => choose(""));

document.addEventListener("keydown", (event) => {
  if (event.timeStamp - lastKey > GAP) burst = "";
  lastKey = event.timeStamp;
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key.length === 1) burst += event.key;
  const badge = burst.toUpperCase();
  if (event.key === "Enter") {
    burst = "";
    if (badge.startsWith("ZKB-")) { event.preventDefault(); field.value = ""; ask({ badge }); }
    else if (pin && !event.target.closest("button:not(.person)")) { event.preventDefault(); enter(); }
  } else if (event.target !== field && !badge.startsWith("Z")) {
    if (/^[0-9]$/.test(event.key)) digit(event.key);
    if (event.key === "Backspace") erase();
  }
}, true);
