// Copies what stands in a text field. Without this script, or without a clipboard, it can be selected as any text.
(() => {
  "use strict";
  for (const button of document.querySelectorAll("[data-copy]")) {
    const field = document.getElementById(button.dataset.copy);
    const said = button.parentElement.querySelector("[data-copied]");
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(field.value);
        said.textContent = "Copied";
      } catch {
        field.focus();
        field.select();
        said.textContent = "Selected: copy it with the keyboard";
      }
    });
    field.addEventListener("focus", () => field.select());
  }
})();
