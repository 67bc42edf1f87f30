// Names what completes typing (select2) after the label of the field that it stands for.
(() => {
  "use strict";
  const name = () => {
    for (const box of document.querySelectorAll("select + .select2")) {
      const select = box.previousElementSibling;
      const label = select.ariaLabel ?? select.labels[0]?.firstChild.data.trim();
      for (const part of box.querySelectorAll("[role='combobox'], [role='textbox']")) part.ariaLabel = label;
    }
  };
  window.django?.jQuery?.(name); // after select2 has done its own, which waits for the same moment
  document.addEventListener("formset:added", name);
})();
