"use strict";
// Chromium under LANG=C calls its language "en-US@posix", which Intl refuses and so uPlot, when it is loaded.
(() => {
  try {
    new Intl.NumberFormat(navigator.language);
  } catch {
    Object.defineProperty(navigator, "language", { value: "en-US", configurable: true });
  }
})();
