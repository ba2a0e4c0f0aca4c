// Keeping the operator's screen true: the event stream, what is swapped when, and what is not believed.
"use strict";

const STALE_AFTER = 8000; // ms without a sign of life
const REGIONS = { line: true, todo: true, latest: true };
const PRESS = 3000; // ms, the longest that one press may keep news away
const RECONNECT = 2000; // ms, where the browser has given up by itself

let lastSign = performance.now();
let pressedAt = -Infinity; // when a finger came down that is not up yet
const failing = new Set(); // regions that the server could not bring up to date
const overdue = new Set(); // regions that changed while they were not to be touched
const shown = {}; // the text of each region as it was last swapped in

function refresh(...regions) {
  for (const region of regions) htmx.trigger(document.body, region);
}

const isSilent = () => performance.now() - lastSign > STALE_AFTER;

function updateStale() {
  const stale = isSilent() || failing.size > 0;
  document.body.classList.toggle("stale", stale);
  $("#stale").hidden = !stale;
}

function alive() {
  // What was silent is believed again once every region has been brought up to date.
  if (isSilent()) for (const region of Object.keys(REGIONS)) if (document.getElementById(region)) failing.add(region);
  lastSign = performance.now();
  if (failing.size > 0) refresh(...failing);
  updateStale();
}

document.addEventListener("htmx:afterRequest", (event) => {
  const region = event.target.id;
  if (!(region in REGIONS)) return;
  if (event.detail.successful) failing.delete(region);
  else failing.add(region);
  updateStale();
});

function onHeartbeat(event) {
  if (JSON.parse(event.data).build_id !== document.documentElement.dataset.build) {
    location.reload();
    return;
  }
  alive();
  refresh("todo", "latest"); // a verdict may have been changed elsewhere, which no snapshot tells
}

function onSnapshot(event) {
  alive();
  refresh("line", "todo");
  const newest = JSON.parse(event.data).latest_inspection_id;
  if (newest !== null && newest !== $("#latest .result")?.dataset.inspection) refresh("latest");
}

function listen() {
  const events = new EventSource("/api/events");
  events.addEventListener("snapshot", onSnapshot);
  events.addEventListener("heartbeat", onHeartbeat);
  events.addEventListener("error", () => {
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, RECONNECT);
  });
}

// --- swaps ----------------------------------------------------------------------------------------

function mayNotTouch(region) {
  if (performance.now() - pressedAt < PRESS) return true;
  return region === "latest" && $("dialog.override[open]") !== null;
}

function catchUp() {
  const due = [...overdue];
  overdue.clear();
  refresh(...due);
}

// What is the same stays as it is: a press, a focus and a drawn chart survive. What changes while
// a finger is on the glass or a dialog stands waits, so that no press lands on something else.
document.addEventListener("htmx:beforeSwap", (event) => {
  const region = event.detail.target.id;
  if (!(region in REGIONS) || !event.detail.shouldSwap) return;
  const text = event.detail.serverResponse;
  if (shown[region] === text) {
    event.detail.shouldSwap = false;
  } else if (mayNotTouch(region)) {
    event.detail.shouldSwap = false;
    overdue.add(region);
  } else {
    shown[region] = text;
    event.detail.target.before_ = remember(event.detail.target);
  }
});

function remember(region) {
  return {
    boxes: new Map($$("button[id]").map((element) => [element.id, element.getBoundingClientRect()])),
    pressed: $$("[aria-pressed=true]", region).map((element) => element.id),
    focus: document.activeElement?.id,
  };
}

document.addEventListener("htmx:afterSwap", (event) => {
  const before = event.detail.target.before_;
  if (before === undefined) return;
  const region = event.detail.target;
  for (const id of before.pressed) {
    const choice = document.getElementById(id);
    choice?.setAttribute("aria-pressed", "true");
    if (choice) updateConfirm(choice.closest(".question"));
  }
  if (before.focus && document.activeElement?.id !== before.focus) document.getElementById(before.focus)?.focus();
  for (const element of $$("button[id]")) markIfMoved(element, before.boxes.get(element.id));
  speak();
});

function markIfMoved(element, old) {
  const now = element.getBoundingClientRect();
  const stayed = old && Math.abs(old.x - now.x) < 8 && Math.abs(old.y - now.y) < 8;
  if (!stayed) element.dataset.appeared = performance.now();
}

function speak() {
  say($("#spoken-verdict"), $("#latest .result")?.dataset.spoken);
  say($("#spoken-question"), $("#todo .question")?.dataset.spoken);
}

function say(box, text = "") {
  if (box.textContent !== text) box.textContent = text;
}

if (document.body.classList.contains("operator")) {
  document.addEventListener("pointerdown", () => { pressedAt = performance.now(); });
  for (const kind of ["pointerup", "pointercancel"]) {
    // After the click that follows.
    document.addEventListener(kind, () => { pressedAt = -Infinity; setTimeout(catchUp, 50); });
  }
  document.addEventListener("close", () => setTimeout(catchUp, 50), true);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh("todo", "latest"); });
  setInterval(() => { updateStale(); catchUp(); }, 500);
  listen();
}
