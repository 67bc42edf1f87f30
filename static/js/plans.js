// The pickers of one user: a plan for several solutions is chosen in all of them at once. The server decides anyway.
(() => {
  "use strict";
  const form = document.querySelector("form[data-plans]");
  if (!form) return;
  form.addEventListener(
    "change",
    (event) => {
      const covers = event.target.dataset.covers?.split(" ") ?? [];
      for (const radio of form.querySelectorAll("input[type=radio]")) {
        if (radio.value === event.target.value && covers.includes(radio.name.split(":").pop())) radio.checked = true;
      }
    },
    true, // before what asks the server
  );
})();
