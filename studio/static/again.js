// A figure that is still being counted is asked for again each second, until it is there. See data-live in studio.js.

"use strict";

document.querySelectorAll("[data-live]").forEach((part) => {
  const again = () => {
    if (part.querySelector("[data-again]")) {
      setTimeout(() => part.closest("form").dispatchEvent(new Event("change")), 1000);
    }
  };
  new MutationObserver(again).observe(part, { childList: true });
  again();
});
