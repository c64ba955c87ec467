/* Shows what the page pushes to this browser, and opens it on a click. It answers no requests and keeps one link: that to leave. */
"use strict";

const STORE = "tocsin-push";
const LEAVE = "/push/leave";

function read(data) {
  try {
    return data.json();
  } catch {
    return {}; // a push must be shown, whatever it says
  }
}

async function tell(told) {
  if (told.unsubscribe_url) {
    const store = await caches.open(STORE);
    await store.put(LEAVE, new Response(told.unsubscribe_url));
  }
  await self.registration.showNotification(told.title || "The status page has news", {
    body: told.body || "",
    tag: told.tag || "news",
    renotify: true,
    timestamp: Date.parse(told.published_at) || Date.now(),
    data: { url: told.url || "/" },
  });
}

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("push", (event) => event.waitUntil(tell(read(event.data))));
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(self.clients.openWindow(event.notification.data.url));
});
