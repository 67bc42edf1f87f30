// What every page shares: the menu of small screens, the command palette, tabs, messages that can be put away.
// All of it is a convenience: without this script the menu stands open, "Search" is a page, and tabs are sections.
(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // == Menu
  for (const button of all("[data-menu]")) {
    const show = (open) => button.setAttribute("aria-expanded", String(open));
    button.addEventListener("click", () => show(button.getAttribute("aria-expanded") !== "true"));
    button.parentElement.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && button.getAttribute("aria-expanded") === "true") {
        show(false);
        button.focus();
      }
    });
  }

  // == Command palette
  const palette = document.querySelector("#palette");
  const open = (event) => {
    event.preventDefault();
    if (!palette.open) palette.showModal();
    palette.querySelector("input").select();
  };
  if (palette) {
    for (const link of all("[data-palette]")) link.addEventListener("click", open);
    document.addEventListener("keydown", (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") open(event);
    });
    palette.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const stops = [palette.querySelector("input"), ...all("a", palette)];
      stops[(stops.indexOf(document.activeElement) + step + stops.length) % stops.length].focus();
    });
    palette.querySelector("form").addEventListener("submit", (event) => {
      const first = palette.querySelector("#palette-found a");
      if (first) {
        event.preventDefault();
        first.click();
      }
    });
    palette.addEventListener("click", (event) => {
      if (event.target === palette) palette.close();
    });
  }

  // == Dialogs: <button data-opens="id">, <button data-closes>
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-opens]");
    if (opener) document.getElementById(opener.dataset.opens).showModal();
    if (event.target.closest("[data-closes]")) event.target.closest("dialog").close();
    const note = event.target.closest("[data-dismiss]")?.closest(".note");
    if (note) note.remove();
  });

  // == Tabs: sections of [data-tabs], each with a heading, shown one at a time
  all("[data-tabs]").forEach((box, index) => {
    const parts = all(":scope > [data-tab]", box);
    if (parts.length < 2) return;
    const list = document.createElement("div");
    list.className = "tabs";
    list.setAttribute("role", "tablist");
    const tabs = parts.map((part, at) => {
      const tab = document.createElement("button");
      const faults = part.querySelectorAll(".errorlist, .field-error").length;
      tab.type = "button";
      tab.id = `tab-${index}-${at}`;
      tab.textContent = part.dataset.tab + (faults ? ` (${faults} to correct)` : "");
      tab.setAttribute("role", "tab");
      part.id ||= `part-${index}-${at}`;
      tab.setAttribute("aria-controls", part.id);
      part.setAttribute("role", "tabpanel");
      part.setAttribute("aria-labelledby", tab.id);
      tab.addEventListener("click", () => {
        show(at);
        history.replaceState(null, "", `#${part.dataset.tab}`); // a saved form comes back with its tab
      });
      list.append(tab);
      return tab;
    });
    const show = (chosen) => {
      tabs.forEach((tab, at) => {
        tab.setAttribute("aria-selected", String(at === chosen));
        tab.tabIndex = at === chosen ? 0 : -1;
        parts[at].hidden = at !== chosen;
      });
    };
    list.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const at = (tabs.indexOf(document.activeElement) + step + tabs.length) % tabs.length;
      tabs[at].click();
      tabs[at].focus();
    });
    box.prepend(list);
    const wrong = parts.findIndex((part) => part.querySelector(".errorlist, .field-error"));
    const asked = decodeURIComponent(location.hash.slice(1));
    const target = document.getElementById(asked);
    const named = parts.findIndex((part) => part.dataset.tab === asked || part.contains(target));
    show(Math.max(wrong >= 0 ? wrong : named, 0));
  });
})();
