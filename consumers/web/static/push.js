/* Notifications of this browser: a button in the sign-up form, where a browser can have them. Without script there is none. */
"use strict";

(() => {
  const WORKER = "/static/push-worker.js";
  const STORE = "tocsin-push";
  const LEAVE = "/push/leave";
  const START = "Notify me in this browser";
  const STOP = "Stop notifications in this browser";
  const able = "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;
  const boxes = [...document.querySelectorAll(".push")];

  const bytesOf = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));

  async function subscription() {
    const worker = await navigator.serviceWorker.getRegistration(WORKER);
    return worker ? worker.pushManager.getSubscription() : null;
  }

  async function active() {
    const worker = await navigator.serviceWorker.register(WORKER);
    const starting = worker.installing ?? worker.waiting;
    if (worker.active === null && starting !== null) {
      await new Promise((resolve) => starting.addEventListener("statechange", () => {
        if (starting.state === "activated" || starting.state === "redundant") resolve();
      }));
    }
    return worker;
  }

  /** Sign up with what the form around the button says of components, impact and kinds. */
  function post(form, made) {
    const fields = new URLSearchParams(new FormData(form));
    for (const other of ["email", "webhook"]) fields.delete(other);
    fields.set("channel", "webpush");
    fields.set("address", JSON.stringify(made));
    return fetch("/subscribe", { method: "POST", body: fields, headers: { Accept: "application/json" } });
  }

  async function start(box) {
    if (await Notification.requestPermission() !== "granted") return "Your browser blocks notifications of this page.";
    const { pushManager } = await active();
    const made = await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytesOf(box.dataset.key) });
    let answer = null;
    try {
      answer = await post(box.closest("form"), made);
    } finally {
      if (!answer?.ok) await made.unsubscribe();
    }
    if (answer.ok) return "We have sent this browser a notification. Click it to confirm.";
    const problem = await answer.json().catch(() => ({}));
    return problem.detail ?? problem.title ?? "That did not work. Please try again later.";
  }

  /** Leave with the link that came with the last notification; without one the push service tells that nobody is there. */
  async function stop(made) {
    const store = await caches.open(STORE);
    const link = await (await store.match(LEAVE))?.text();
    await made.unsubscribe();
    if (link) {
      const headers = { "Content-Type": "application/x-www-form-urlencoded" };
      await fetch(new URL(link).pathname, { method: "POST", body: "List-Unsubscribe=One-Click", headers });
      await store.delete(LEAVE);
    }
    return "This browser gets no more notifications.";
  }

  async function show() {
    const text = await subscription() === null ? START : STOP;
    for (const box of boxes) box.querySelector("button").textContent = text;
  }

  async function press(box) {
    const [button, said] = [box.querySelector("button"), box.querySelector("[role=status]")];
    button.disabled = true;
    try {
      const made = await subscription();
      said.textContent = made === null ? await start(box) : await stop(made);
    } catch {
      said.textContent = "This browser cannot have notifications now.";
    }
    await show();
    button.disabled = false;
  }

  async function begin() {
    await show();
    for (const box of boxes) {
      box.querySelector("button").addEventListener("click", () => press(box));
      box.hidden = false;
    }
  }

  if (able) begin().catch(() => {}); // a browser that forbids it in this window shows no button
})();
