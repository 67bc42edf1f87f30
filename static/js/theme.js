// Light or dark: what was chosen by hand wins over the system. Loaded before the page is drawn, so that nothing flashes.
(() => {
  "use strict";
  const root = document.documentElement;
  root.dataset.js = "";
  const chosen = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // storage may be forbidden; the system's choice is fine then
    }
  };
  if (["light", "dark"].includes(chosen())) root.dataset.theme = chosen();

  const isDark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

  document.addEventListener("DOMContentLoaded", () => {
    for (const button of document.querySelectorAll("[data-theme-switch]")) {
      const tell = () => button.setAttribute("aria-pressed", String(isDark()));
      button.hidden = false;
      tell();
      button.addEventListener("click", () => {
        root.dataset.theme = isDark() ? "light" : "dark";
        try {
          localStorage.setItem("theme", root.dataset.theme);
        } catch {
          // it holds for this page
        }
        tell();
      });
    }
  });
})();
