// What people press, type and scan, on every page.
"use strict";

const SCAN_GAP = 60; // ms, the longest pause between two keystrokes of a scanner
const SCAN_LEAST = 4; // keystrokes; a person who types fast makes shorter bursts
const BADGE = "ZKB-"; // how what a badge says begins
const SETTLE = 350; // ms, in which a press on what has just appeared is not believed

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const said = () => JSON.parse($("#page-data").textContent);
const operator = () => $("#operator-name").value.trim() || "operator";

function notice(text, good = false) {
  const box = $("#notice");
  box.textContent = text;
  box.classList.toggle("good", good);
  box.hidden = false;
  clearTimeout(notice.timer);
  notice.timer = setTimeout(() => { box.hidden = true; }, good ? 4000 : 12000);
}

async function post(path, body, headers = {}) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": $("meta[name=csrf-token]")?.content ?? "", ...headers },
    body: JSON.stringify({ by: operator(), ...body }),
  }).catch(() => null);
  if (response?.ok) return true;
  if (response?.status === 401 && path !== "/api/sign-in") { signInAnew(); return false; }
  const problem = await response?.json().catch(() => null);
  const why = response === null ? said().unreachable : response.status === 412 ? said().conflict : problem?.detail;
  notice(`${said().refused}. ${why ?? response.status}`);
  return false;
}

// --- who is here ----------------------------------------------------------------------------------

function signInAnew() {
  location.assign(`/sign-in?to=${encodeURIComponent(location.pathname + location.search)}`);
}

async function signOut() {
  await fetch("/api/sign-out", { method: "POST" }).catch(() => null);
  location.assign("/sign-in");
}

// At the change of a shift the next one scans a badge; it is never taken for a panel.
async function changeHands(badge) {
  const response = await fetch("/api/sign-in", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ badge }),
  }).catch(() => null);
  if (response?.ok) location.reload();
  else notice(said().refused);
}

// --- questions ------------------------------------------------------------------------------------

async function answer(question, choices) {
  for (const button of $$("button", question)) button.disabled = true;
  question.classList.add("answered");
  if (await post(`/api/station/questions/${question.dataset.question}/answer`, { choices })) return;
  question.classList.remove("answered");
  for (const button of $$("[data-choice]", question)) button.disabled = false;
  updateConfirm(question);
}

function choose(button) {
  const question = button.closest(".question");
  if (!button.hasAttribute("aria-pressed")) return answer(question, [button.dataset.choice]);
  button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") !== "true");
  return updateConfirm(question);
}

function updateConfirm(question) {
  const some = $("[aria-pressed=true]", question) !== null;
  const confirm = $("[data-confirm]", question);
  if (confirm) confirm.disabled = !some;
  // Both at once would say that a damaged panel is sound.
  for (const sound of $$(".choice:not([aria-pressed])", question)) if (confirm) sound.disabled = some;
}

function confirmDamage(button) {
  const question = button.closest(".question");
  return answer(question, $$("[aria-pressed=true]", question).map((choice) => choice.dataset.choice));
}

async function takeAway(button) {
  button.disabled = true;
  if (await post(`/api/station/routes/${button.dataset.route}`, {})) refresh("todo", "latest");
  else button.disabled = false;
}

// --- dialogs --------------------------------------------------------------------------------------

function openOverride() {
  const dialog = $("dialog.override");
  const form = $("form", dialog);
  form.reset();
  form.elements.by.value = $("#operator-name").value.trim();
  updateGrades(form);
  dialog.showModal();
}

function updateGrades(form) {
  const passes = form.elements.outcome.value === "pass";
  $(".grades", form).disabled = !passes;
  for (const radio of $$("[name=grade]", form)) radio.required = passes;
}

async function saveOverride(button) {
  const form = button.closest("form");
  if (!form.reportValidity()) return;
  const { outcome, grade, reason, by } = Object.fromEntries(new FormData(form));
  const body = { outcome, grade: grade ?? null, reason, by };
  const path = `/api/inspections/${form.dataset.override}/override`;
  button.disabled = true;
  const done = await post(path, body, { "If-Match": form.dataset.etag });
  button.disabled = false;
  form.closest("dialog").close();
  if (document.body.classList.contains("operator")) refresh("todo", "latest");
  else if (done) location.reload();
}

function usePreset(button) {
  const text = button.closest("form").elements.reason;
  text.value = text.value ? `${text.value}, ${button.dataset.preset.toLowerCase()}` : button.dataset.preset;
}

function zoom(button) {
  const dialog = $("dialog.zoom");
  $("img", dialog).src = button.dataset.zoom;
  dialog.showModal();
}

// --- presses --------------------------------------------------------------------------------------

const PRESSES = {
  "[data-command]": (b) => post("/api/station/command", { command: b.dataset.command }),
  "[data-acknowledge]": (b) => post(`/api/station/alarms/${encodeURIComponent(b.dataset.acknowledge)}/acknowledge`, {}),
  "[data-unshelve]": (b) => post(`/api/station/alarms/${encodeURIComponent(b.dataset.unshelve)}/unshelve`, {}),
  "[data-route]": takeAway,
  "[data-choice]": choose,
  "[data-confirm]": confirmDamage,
  "[data-open-override]": openOverride,
  "[data-save]": saveOverride,
  "[data-preset]": usePreset,
  "[data-zoom]": zoom,
  "[data-sign-out]": signOut,
  "[data-close]": (b) => b.closest("dialog").close(),
};

document.addEventListener("click", (event) => {
  const appeared = Number(event.target.closest("[data-appeared]")?.dataset.appeared ?? 0);
  if (performance.now() - appeared < SETTLE) return;
  for (const [selector, act] of Object.entries(PRESSES)) {
    const button = event.target.closest(selector);
    if (button && !button.disabled) { act(button); return; }
  }
});

document.addEventListener("change", (event) => {
  if (event.target.name === "outcome") updateGrades(event.target.form);
  if (event.target.id === "operator-name") localStorage.setItem("operator", event.target.value.trim());
  if (event.target.id === "module") sessionStorage.setItem("module", event.target.value.trim()); // a lot is of one model
});

document.addEventListener("submit", async (event) => {
  if (event.target.closest("dialog")) event.preventDefault(); // only by its own button, never by Enter
  if (!event.target.matches("#intake")) return;
  event.preventDefault();
  const field = $("#barcode");
  if (field.value.trim() && (await intake(field.value.trim()))) field.value = "";
});

async function intake(code) {
  const module = $("#module").value.trim();
  const done = await post("/api/station/intake", { panel_id: code, ...(module && { module }) });
  if (done) notice(`${code} ${said().taken_in}`, true);
  return done;
}

// --- a scanner that types: fast keystrokes that end in Enter, wherever the focus is ---------------

let burst = "";
let lastKey = 0;

document.addEventListener("keydown", (event) => {
  if (event.timeStamp - lastKey > SCAN_GAP) burst = "";
  lastKey = event.timeStamp;
  if (event.key.length === 1 && !event.ctrlKey && !event.altKey && !event.metaKey) burst += event.key;
  if (event.key !== "Enter") return;
  const code = burst;
  burst = "";
  const field = event.target;
  const badge = code.toUpperCase().startsWith(BADGE);
  if ((field.id === "barcode" && !badge) || code.length < SCAN_LEAST) return;
  event.preventDefault(); // it would press the button that has the focus
  if ("value" in field && field.value.endsWith(code)) field.value = field.value.slice(0, -code.length);
  if (badge) changeHands(code.toUpperCase());
  else if ($("#intake") && !$("dialog[open]")) intake(code);
}, true);

// --- moments as the reader's clock shows them -----------------------------------------------------

const FORMS = {
  moment: { dateStyle: "short", timeStyle: "short" },
  time: { timeStyle: "medium" },
};

function locale() {
  const { lang } = document.documentElement;
  return navigator.languages.find((code) => code.startsWith(lang)) ?? (lang === "en" ? "en-GB" : lang);
}

function showTimes(root) {
  for (const time of $$("time[data-form]", root)) {
    const moment = new Date(time.dateTime);
    if (!Number.isNaN(moment.valueOf())) {
      time.textContent = moment.toLocaleString(locale(), FORMS[time.dataset.form]);
      time.title = time.dateTime;
    }
  }
}

document.addEventListener("DOMContentLoaded", () => {
  if ($("#operator-name").type !== "hidden") $("#operator-name").value = localStorage.getItem("operator") ?? "";
  if ($("#module")) $("#module").value = sessionStorage.getItem("module") ?? "";
  showTimes(document);
  drawCharts(document);
});
document.addEventListener("htmx:afterSwap", (event) => {
  const root = event.target.isConnected ? event.target : document;
  showTimes(root.parentElement ?? document);
  drawCharts(root);
});
