// The users page while choices are made: what has changed, what would be left, and no loss by leaving the page.
// Everything works without this script; the server decides in any case.
(() => {
  "use strict";
  const form = document.querySelector("form[data-seats]");
  if (!form) return;

  const rows = [...form.querySelectorAll("tbody tr")].filter((row) => row.querySelector("input[name^='was:']"));
  const meters = [...document.querySelectorAll("[data-module]")];
  const bar = form.querySelector(".save-bar");
  const summary = form.querySelector("[data-summary]");
  const discard = form.querySelector("[data-discard]");
  let leaving = false;

  const held = new Map(
    rows.map((row) => [row, new Set(row.querySelector("input[name^='was:']").value.split(" ").filter(Boolean))]),
  );
  const after = (row) => {
    const chosen = [...row.querySelectorAll("select")].map((select) => select.value).filter(Boolean);
    return new Set([...chosen, ...[...row.querySelectorAll("input[name^='extra:']:checked")].map((box) => box.value)]);
  };
  const isChanged = (row) => {
    const was = held.get(row);
    const recorded = (select) => [...select.options].find((option) => was.has(option.value))?.value ?? "";
    return (
      [...row.querySelectorAll("select")].some((select) => select.value !== recorded(select)) ||
      [...row.querySelectorAll("input[name^='extra:']")].some((box) => box.checked !== was.has(box.value))
    );
  };

  // A plan for several solutions is chosen in all of them at once.
  const spread = (select) => {
    const covers = select.selectedOptions[0]?.dataset.covers?.split(" ") ?? [];
    for (const other of select.closest("tr").querySelectorAll("select")) {
      if (covers.includes(other.name.split(":").pop())) other.value = select.value;
    }
  };

  const refresh = () => {
    const moved = new Map();
    let changed = 0;
    for (const row of rows) {
      const [was, now] = [held.get(row), after(row)];
      const toSave = isChanged(row);
      row.classList.toggle("is-changed", toSave && !row.classList.contains("is-wrong"));
      changed += toSave;
      for (const module of now) if (!was.has(module)) moved.set(module, (moved.get(module) ?? 0) + 1);
      for (const module of was) if (!now.has(module)) moved.set(module, (moved.get(module) ?? 0) - 1);
    }
    for (const meter of meters) count(meter, moved.get(meter.dataset.module) ?? 0);
    summary.textContent = changed ? `${changed} unsaved ${changed === 1 ? "change" : "changes"}` : "";
    bar.toggleAttribute("data-changed", changed > 0);
    discard.hidden = changed === 0;
    return changed;
  };

  const count = (meter, more) => {
    const { module, total } = meter.dataset;
    const used = Number(meter.dataset.used) + more;
    const text = meter.querySelector("[data-count]");
    if (total === undefined) {
      text.textContent = `${used} in use`;
      return;
    }
    const left = Number(total) - used;
    const name = meter.querySelector(".meter-name").textContent;
    text.textContent = `${used} / ${total}`;
    meter.querySelector("meter").value = used;
    meter.dataset.state = left <= 0 ? "full" : used >= 0.85 * Number(total) ? "near" : "ok";
    const named = `[value="${CSS.escape(module)}"]`;
    for (const offer of form.querySelectorAll(`option${named}, input[type=checkbox]${named}`)) {
      const isKept = offer.selected || offer.checked || held.get(offer.closest("tr"))?.has(module);
      offer.disabled = left <= 0 && !isKept;
      const hint = left <= 0 ? "full" : `${left} left`;
      if (offer.matches("option")) offer.textContent = offer.selected ? name : `${name} · ${hint}`;
    }
  };

  // What the choice would change for the user, said below their row; the server knows.
  const hint = (row) => {
    let line = row.nextElementSibling;
    if (!line?.matches(".row-hint")) {
      row.insertAdjacentHTML("afterend", '<tr class="row-hint"><td aria-live="polite"></td></tr>');
      line = row.nextElementSibling;
      line.firstChild.colSpan = row.closest("table").querySelectorAll("thead th").length;
    }
    line.hidden = !isChanged(row);
    if (line.hidden || !window.htmx) return;
    const values = { csrfmiddlewaretoken: form.elements.csrfmiddlewaretoken.value };
    for (const field of row.querySelectorAll("select, input")) {
      if (field.type !== "checkbox" || field.checked) (values[field.name] ??= []).push(field.value);
    }
    htmx.ajax("POST", form.dataset.seats, { target: line.firstChild, values });
  };

  form.addEventListener("change", (event) => {
    if (event.target.matches("select")) spread(event.target);
    refresh();
    const row = event.target.closest("tbody tr");
    if (row) hint(row);
  });
  discard.addEventListener("click", () => {
    leaving = true;
  });
  form.addEventListener("submit", () => {
    leaving = true;
  });
  addEventListener("beforeunload", (event) => {
    if (!leaving && refresh()) event.preventDefault();
  });
  addEventListener("pageshow", refresh); // the browser may bring choices back
  document.querySelector("#summary")?.focus();
})();
