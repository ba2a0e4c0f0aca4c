// The screens' behaviour: the event stream, what people press, and the barcode scanner.
"use strict";

const STALE_AFTER = 8000; // ms without a heartbeat
const SCAN_GAP = 60; // ms, the longest pause between two keystrokes of a scanner

const $ = (selector) => document.querySelector(selector);
const page = () => JSON.parse($("#page-data")?.textContent ?? "{}");
const operator = () => $("#operator-name")?.value.trim() || localStorage.getItem("operator") || "operator";

function notice(text) {
  const box = $("#notice");
  box.textContent = text;
  box.hidden = false;
  clearTimeout(notice.timer);
  notice.timer = setTimeout(() => { box.hidden = true; }, 9000);
}

async function post(path, body, headers = {}) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify({ by: operator(), ...body }),
  }).catch(() => null);
  if (response?.ok) return true;
  const problem = await response?.json().catch(() => null);
  const text = response?.status === 412 ? page().conflict : problem?.detail ?? "";
  notice(`${page().refused}. ${text}`);
  return false;
}

// --- the event stream ---------------------------------------------------------------------------

let lastSign = Date.now();
let shown = { questions: null, latest: null };

function fresh() {
  lastSign = Date.now();
  setStale(false);
}

function setStale(stale) {
  document.body.classList.toggle("stale", stale);
  const banner = $("#stale");
  if (banner) banner.hidden = !stale;
}

function onSnapshot(snapshot) {
  fresh();
  const questions = snapshot.questions.map((question) => question.question_id).join();
  htmx.trigger(document.body, "snapshot");
  if (shown.questions !== null && questions !== shown.questions) htmx.trigger(document.body, "questions");
  if (shown.latest !== null && snapshot.latest_inspection_id !== shown.latest) htmx.trigger(document.body, "latest");
  shown = { questions, latest: snapshot.latest_inspection_id ?? "" };
}

function listen() {
  if (!document.body.classList.contains("operator")) return;
  const events = new EventSource("/api/events");
  const build = document.documentElement.dataset.build;
  events.addEventListener("snapshot", (event) => onSnapshot(JSON.parse(event.data)));
  events.addEventListener("heartbeat", (event) => {
    fresh();
    if (JSON.parse(event.data).build_id !== build) location.reload();
  });
  events.onopen = () => {
    // After a break anything may have changed.
    if (shown.questions !== null) for (const name of ["snapshot", "questions", "latest"]) htmx.trigger(document.body, name);
  };
  setInterval(() => { if (Date.now() - lastSign > STALE_AFTER) setStale(true); }, 500);
}

// --- what people press --------------------------------------------------------------------------

async function answer(question, choices) {
  for (const button of question.querySelectorAll("button")) button.disabled = true;
  const id = question.dataset.question;
  const done = await post(`/api/station/questions/${id}/answer`, { choices });
  if (!done) htmx.trigger(document.body, "questions");
}

function choose(button) {
  const question = button.closest(".question");
  const { choice } = button.dataset;
  if (!("multiple" in question.dataset) || choice === "sound") return answer(question, [choice]);
  button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") !== "true");
  question.querySelector("[data-confirm]").disabled = !question.querySelector("[aria-pressed=true]");
}

function confirmChoices(button) {
  const question = button.closest(".question");
  const pressed = [...question.querySelectorAll("[aria-pressed=true]")];
  return answer(question, pressed.map((choice) => choice.dataset.choice));
}

async function override(form) {
  const fields = new FormData(form);
  const body = { outcome: fields.get("outcome"), grade: fields.get("grade") || null, reason: fields.get("reason") };
  const etag = form.closest("dialog").previousElementSibling.dataset.etag;
  const path = `/api/inspections/${form.dataset.override}/override`;
  if (!(await post(path, body, { "If-Match": etag }))) return;
  form.closest("dialog").close();
  if (document.body.classList.contains("operator")) htmx.trigger(document.body, "latest");
  else location.reload();
}

const PRESSES = {
  "[data-command]": (b) => post("/api/station/command", { command: b.dataset.command }),
  "[data-acknowledge]": (b) => post(`/api/station/alarms/${encodeURIComponent(b.dataset.acknowledge)}/acknowledge`, {}),
  "[data-route]": (b) => { b.disabled = true; return post(`/api/station/routes/${b.dataset.route}`, {}); },
  "[data-choice]": choose,
  "[data-confirm]": confirmChoices,
  "[data-open-override]": (b) => b.closest("main").querySelector("dialog.override").showModal(),
  "[data-close]": (b) => b.closest("dialog").close(),
};

document.addEventListener("click", (event) => {
  for (const [selector, act] of Object.entries(PRESSES)) {
    const button = event.target.closest(selector);
    if (button && !button.disabled) { act(button); return; }
  }
});

document.addEventListener("submit", async (event) => {
  if (event.target.matches("[data-override]")) {
    event.preventDefault();
    override(event.target);
  } else if (event.target.matches("#intake")) {
    event.preventDefault();
    const field = $("#barcode");
    if (field.value.trim() && (await post("/api/station/intake", { panel_id: field.value.trim() }))) field.value = "";
  }
});

// --- a scanner that types: fast keystrokes that end in Enter, wherever the focus is -----------------

let typed = "";
let lastKey = 0;
document.addEventListener("keydown", (event) => {
  if (event.target.matches("input, textarea, select")) return;
  const now = Date.now();
  if (now - lastKey > SCAN_GAP) typed = "";
  lastKey = now;
  if (event.key === "Enter" && typed.length >= 3) {
    event.preventDefault();
    post("/api/station/intake", { panel_id: typed });
    typed = "";
  } else if (event.key.length === 1) {
    typed += event.key;
  }
});

document.addEventListener("DOMContentLoaded", () => {
  const name = $("#operator-name");
  if (name) {
    name.value = localStorage.getItem("operator") ?? "";
    name.addEventListener("change", () => localStorage.setItem("operator", name.value.trim()));
  }
  drawCharts(document);
  listen();
});
document.addEventListener("htmx:afterSwap", (event) => drawCharts(event.target));
