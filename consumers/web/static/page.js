/* The status page without script is whole; this adds: fresh content, the reader's own time zone, days by keyboard. */
"use strict";

const main = document.getElementById("main");
const DAYS = ".bars rect";
const FOCUSABLE = `a, summary, button, ${DAYS}`;

/* --- times in the reader's own zone ---------------------------------------------------------------- */

const CLOCK = { hour: "2-digit", minute: "2-digit", timeZoneName: "short" };
const FORMS = {
  moment: new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", ...CLOCK }),
  clock: new Intl.DateTimeFormat("en-GB", CLOCK),
};
const ownZone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const zone = document.getElementById("zone");
const elsewhere = zone !== null && ownZone !== undefined && ownZone !== zone.dataset.zone;

function localise(root) {
  if (!elsewhere) return;
  for (const element of root.querySelectorAll("time[data-form]")) {
    element.title = element.textContent;
    element.textContent = FORMS[element.dataset.form].format(new Date(element.dateTime));
  }
}

/* --- ninety days: hover, tap, or arrow keys ---------------------------------------------------------- */

let pinned = null;

function enhance(root) {
  for (const bars of root.querySelectorAll(".bars")) {
    bars.setAttribute("role", "toolbar");
    bars.setAttribute("aria-orientation", "horizontal");
    for (const day of bars.children) {
      const title = day.querySelector("title");
      day.setAttribute("role", "button");
      day.setAttribute("aria-label", title.textContent);
      day.setAttribute("tabindex", day === bars.lastElementChild ? "0" : "-1");
      title.remove();
    }
  }
}

/** Say what happened on a day in place of the legend below its bars, so that nothing moves. */
function show(day) {
  const legend = day.closest(".row").querySelector(".legend");
  let tip = legend.nextElementSibling;
  if (tip === null) {
    tip = document.createElement("p");
    tip.className = "tip";
    legend.after(tip);
  }
  tip.textContent = day.getAttribute("aria-label");
  tip.hidden = false;
  legend.hidden = true;
  for (const other of day.parentNode.querySelectorAll(".on")) other.classList.remove("on");
  day.classList.add("on");
}

function hide(day) {
  const legend = day.closest(".row").querySelector(".legend");
  if (legend.nextElementSibling !== null) legend.nextElementSibling.hidden = true;
  legend.hidden = false;
  for (const other of day.parentNode.querySelectorAll(".on")) other.classList.remove("on");
}

function pin(day) {
  const before = pinned;
  if (before !== null) {
    before.setAttribute("aria-pressed", "false");
    hide(before);
  }
  pinned = before === day ? null : day;
  if (pinned !== null) {
    pinned.setAttribute("aria-pressed", "true");
    show(pinned);
  }
}

/** Only the days in view: a narrow screen shows the last thirty. */
function daysOf(bars) {
  const edge = bars.closest(".window").getBoundingClientRect().left;
  return [...bars.children].filter((day) => day.getBoundingClientRect().left >= edge - 1);
}

function neighbour(day, key) {
  const days = daysOf(day.parentNode);
  const at = days.indexOf(day);
  const all = [...document.querySelectorAll(".bars")].filter((bars) => bars.getClientRects().length > 0);
  const row = all.indexOf(day.parentNode);
  switch (key) {
    case "ArrowLeft": return days[at - 1];
    case "ArrowRight": return days[at + 1];
    case "Home": return days[0];
    case "End": return days[days.length - 1];
    case "ArrowUp": return all[row - 1] && daysOf(all[row - 1])[at];
    case "ArrowDown": return all[row + 1] && daysOf(all[row + 1])[at];
    default: return undefined;
  }
}

function move(from, to) {
  from.setAttribute("tabindex", "-1");
  for (const day of to.parentNode.children) day.setAttribute("tabindex", day === to ? "0" : "-1");
  to.focus({ preventScroll: false });
}

function onDay(event, action) {
  const day = event.target.closest?.(DAYS);
  if (day) action(day);
}

document.addEventListener("pointerover", (event) => onDay(event, (day) => event.pointerType === "mouse" && show(day)));
document.addEventListener("pointerout", (event) => onDay(event, (day) => {
  hide(day);
  if (pinned !== null) show(pinned);
}));
document.addEventListener("focusin", (event) => onDay(event, show));
document.addEventListener("focusout", (event) => onDay(event, (day) => day !== pinned && hide(day)));
document.addEventListener("click", (event) => onDay(event, pin));
document.addEventListener("keydown", (event) => onDay(event, (day) => {
  const next = neighbour(day, event.key);
  if (next) move(day, next);
  else if (event.key === "Enter" || event.key === " ") pin(day);
  else if (event.key === "Escape") { if (pinned !== null) pin(pinned); else hide(day); }
  else return;
  event.preventDefault();
}));

/* --- the subscribe panel closes like a menu ----------------------------------------------------------- */

const panel = document.getElementById("subscribe");
document.addEventListener("click", (event) => {
  if (panel !== null && panel.open && !panel.contains(event.target)) panel.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && panel !== null && panel.open) {
    panel.open = false;
    panel.querySelector("summary").focus();
  }
});

/* --- fresh content --------------------------------------------------------------------------------- */

let updatedAt = Date.now();
let connected = false;
let lost = false;
let waiting = 0;

function ago(milliseconds) {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  return seconds < 3600 ? `${Math.floor(seconds / 60)} min ago` : `${Math.floor(seconds / 3600)} h ago`;
}

function tell() {
  const hint = document.getElementById("freshness");
  if (hint === null) return;
  if (lost) hint.textContent = `Connection lost, trying again. Updated ${ago(Date.now() - updatedAt)}`;
  else if (connected) hint.textContent = `Live. Updated ${ago(Date.now() - updatedAt)}`;
}

/** Where an element stands, so that its successor in the new content can be found. */
function placeOf(element) {
  const home = element?.closest("#content [id]");
  return home ? { id: home.id, at: [...home.querySelectorAll(FOCUSABLE)].indexOf(element) } : null;
}

function elementAt(place) {
  if (place === null) return null;
  const home = document.getElementById(place.id);
  return home === null ? null : place.at < 0 ? home : home.querySelectorAll(FOCUSABLE)[place.at] ?? null;
}

/** What must not move when something above it grows: what has the focus, else the first thing that begins in view. */
function anchor() {
  if (scrollY === 0) return null;
  const inView = (each) => { const { top } = each.getBoundingClientRect(); return top >= 0 && top < innerHeight; };
  const candidates = [document.activeElement?.closest("#content [id]"), ...document.querySelectorAll("#content [id]")];
  const found = candidates.find((each) => each && inView(each));
  return found ? { id: found.id, top: found.getBoundingClientRect().top } : null;
}

function swap(fresh) {
  const content = document.getElementById("content");
  const focus = placeOf(document.activeElement);
  const pin_ = placeOf(pinned);
  const held = anchor();
  const open = new Map([...content.querySelectorAll("details[id]")].map((each) => [each.id, each.open]));

  enhance(fresh);
  localise(fresh);
  content.replaceChildren(...fresh.getElementById("content").childNodes);
  for (const [id, state] of open) document.getElementById(id)?.toggleAttribute("open", state);
  swapBanner(fresh);
  document.title = fresh.title;
  document.getElementById("favicon").href = fresh.getElementById("favicon").href;

  pinned = null;
  if (elementAt(pin_)?.matches(DAYS)) pin(elementAt(pin_));
  elementAt(focus)?.focus({ preventScroll: true });
  const successor = held && document.getElementById(held.id);
  if (successor) scrollBy({ top: successor.getBoundingClientRect().top - held.top, behavior: "instant" });
}

/** The sentence is a live region: it is touched only when it says something else. */
function swapBanner(fresh) {
  const [old, young] = [document.getElementById("banner"), fresh.getElementById("banner")];
  if (old === null || young === null) return;
  const [said, says] = [document.getElementById("sentence"), fresh.getElementById("sentence")];
  old.className = young.className;
  old.querySelector(".icon").replaceWith(young.querySelector(".icon"));
  old.querySelector("p").replaceWith(young.querySelector("p"));
  if (said.textContent !== says.textContent) said.replaceChildren(...says.childNodes);
}

async function refresh() {
  try {
    const answer = await fetch(location.href, { cache: "no-cache", headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(String(answer.status));
    swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
    updatedAt = Date.now();
    lost = false;
  } catch {
    lost = true;
    soon(10_000);
  }
  tell();
}

/** Several changes at once are fetched once, and not by every open browser in the same instant. */
function soon(spread = 1_000) {
  clearTimeout(waiting);
  waiting = setTimeout(refresh, 150 + Math.random() * spread);
}

function listen(address) {
  const stream = new EventSource(address);
  const changed = (event) => { if (event.type === "changed" || event.data === "changed") soon(); };
  stream.addEventListener("changed", changed);
  stream.addEventListener("message", changed);
  stream.addEventListener("open", () => {
    if (lost) soon();
    connected = true;
    lost = false;
    tell();
  });
  stream.addEventListener("error", () => {
    lost = true;
    tell();
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 5_000 + Math.random() * 10_000, address);
  });
}

enhance(document);
localise(document);
if (zone !== null && elsewhere) zone.textContent = `All times are those of your device (${ownZone.replaceAll("_", " ")}).`;
if (main.dataset.stream && "EventSource" in window) {
  listen(main.dataset.stream);
  setInterval(tell, 5_000);
}
