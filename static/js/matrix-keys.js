// Moving about the matrix, selecting, editing in place, copying and pasting. What comes of it is kept by matrix.js.
(() => {
  "use strict";
  const matrix = window.planariumMatrix;
  if (!matrix) return;
  const { all, one, make, many, say, parse, read, change, mayEdit } = matrix;
  const coarse = matchMedia("(pointer: coarse)");
  const narrow = matchMedia("(max-width: 56rem)");
  let rows = [];
  let active = null; // the cell that has, or last had, the focus
  let anchor = null; // where the selection began
  let editor = null;
  let dragging = false;

  const place = (td) => ({ row: rows.indexOf(td.parentElement), column: td.cellIndex });
  const isCell = (td) => td?.matches?.("tr[data-feature] > td") && td.closest("[data-matrix]") !== null;
  const cellOf = (target) => {
    const td = target.closest?.("[data-matrix] tr[data-feature] > td");
    return isCell(td) ? td : null;
  };

  // == The selection: a rectangle from the anchor to the active cell
  const bounds = () => {
    const [from, to] = [place(anchor), place(active)];
    return {
      top: Math.min(from.row, to.row), bottom: Math.max(from.row, to.row),
      left: Math.min(from.column, to.column), right: Math.max(from.column, to.column),
    };
  };
  const selected = () => {
    if (!active) return [];
    const { top, bottom, left, right } = bounds();
    return rows.slice(top, bottom + 1).map((row) => [...row.cells].slice(left, right + 1));
  };
  const mark = () => {
    for (const td of all("[aria-selected]", matrix.table())) td.removeAttribute("aria-selected");
    const block = selected();
    if (block.length * (block[0]?.length ?? 0) > 1) for (const td of block.flat()) td.setAttribute("aria-selected", "true");
  };
  const go = (td, { extend = false } = {}) => {
    if (!isCell(td)) return;
    if (active) active.tabIndex = -1;
    active = td;
    if (!extend || !anchor?.isConnected) anchor = td;
    td.tabIndex = 0;
    about(td);
    td.focus({ preventScroll: true });
    td.scrollIntoView({ block: "nearest", inline: "nearest" });
    mark();
  };
  matrix.focus = go;

  // == What the active cell is, in a sentence: for those who see it, and as its label for those who don't
  const about = (td) => {
    const cell = read(td);
    const words = (value) => `${matrix.inWords(cell, value)}${/^\d/.test(value ?? "") && cell.unit ? ` ${cell.unit}` : ""}`;
    const from = td.dataset.from ? `, inherited from ${td.dataset.from}` : "";
    const without = cell.disputed ? "what it includes differs" : `${words(cell.inherited)}${from}`;
    let text = `own value ${words(cell.value)}; without it ${without}`;
    if (cell.value === null) text = without;
    if (cell.change) text += `; unsaved, was ${cell.own === null ? "inherited" : words(cell.own)}`;
    else if (td.classList.contains("repeats")) text += "; repeats it";
    if (cell.change?.fault) text = `${cell.change.raw}: ${cell.change.fault}`;
    td.ariaLabel = `${cell.names[0]}, ${cell.names[1]}: ${text}`;
    const line = one("[data-about]");
    line.classList.toggle("field-error", Boolean(cell.change?.fault));
    line.replaceChildren(make("b", cell.names.join(" · ")), ` ${text}.`);
  };

  // == Writing into cells
  const put = (tds, text) => {
    const edits = [];
    let other = 0;
    for (const td of tds) {
      const cell = read(td);
      const found = parse(cell, text);
      if (found.fault && tds.length > 1) other += 1;
      else edits.push({ cell, ...found, raw: text });
    }
    change(edits);
    if (active) about(active);
    if (tds.length > 1) {
      say(`${many(edits.length, "cell")} filled.${other ? ` ${many(other, "cell")} of another kind stayed.` : ""}`);
    } else if (edits[0]?.fault) say(edits[0].fault);
  };
  const toggle = (td) => {
    const isOn = read(td).effective === "yes";
    const switches = selected().flat().filter((each) => read(each).kind === "switch");
    change((switches.includes(td) ? switches : [td]).map((each) => ({ cell: read(each), value: isOn ? "no" : "yes" })));
    about(td);
    say(one("[data-about]").textContent);
  };

  // == The editor: a number with unlimited beside it, or a list of choices, in the cell
  const close = () => {
    const open = editor;
    editor = null;
    open?.box.remove();
    open?.td.classList.remove("editing");
  };
  const commit = (step) => {
    if (!editor) return true;
    const { td, field, fault, tds } = editor;
    const wrong = parse(read(td), field.value).fault;
    if (wrong && step) {
      field.setAttribute("aria-invalid", "true");
      fault.textContent = wrong;
      fault.hidden = false;
      return false;
    }
    const text = field.value;
    close();
    put(tds, text);
    if (step) move(td, step);
    return true;
  };
  const fieldOf = (cell, initial) => {
    const label = `${cell.names[0]}, ${cell.names[1]}`;
    if (cell.kind !== "level") {
      const field = make("input", "", { type: "text", inputMode: cell.kind === "limit" ? "numeric" : "text", ariaLabel: label });
      field.value = initial ?? (cell.change?.fault ? cell.change.raw : cell.effective) ?? "";
      field.autocomplete = "off";
      return field;
    }
    const field = make("select", "", { ariaLabel: label });
    const nothing = cell.inherited === null ? "Not included" : `Inherit: ${matrix.inWords(cell, cell.inherited)}`;
    field.append(new Option(nothing, ""), ...cell.choices.map(([code, name]) => new Option(name, code)));
    const typed = initial && cell.choices.find(([, name]) => name.toLowerCase().startsWith(initial.toLowerCase()));
    field.value = typed ? typed[0] : (cell.value ?? "");
    return field;
  };
  const edit = (td, initial) => {
    if (!mayEdit || editor) return;
    const cell = read(td);
    if (cell.kind === "switch") {
      toggle(td);
      return;
    }
    const tds = selected().flat();
    const field = fieldOf(cell, initial);
    const fault = make("p", "", { className: "field-error", id: "matrix-fault", hidden: true, role: "alert" });
    const box = make("div", "", { className: "matrix-editor" });
    field.setAttribute("aria-describedby", fault.id);
    box.append(field);
    if (cell.kind === "limit") {
      const top = make("button", "∞", { type: "button", className: "button", title: "Unlimited", ariaLabel: "Unlimited" });
      top.addEventListener("pointerdown", (event) => event.preventDefault()); // the field keeps the focus
      top.addEventListener("click", () => {
        field.value = "unlimited";
        commit({});
      });
      box.append(top);
    }
    box.append(fault);
    td.append(box);
    td.classList.add("editing");
    editor = { td, field, fault, box, tds: tds.includes(td) ? tds : [td] };
    field.focus();
    if (initial === undefined) field.select?.();
    field.addEventListener("input", () => {
      fault.hidden = true;
      field.removeAttribute("aria-invalid");
    });
    field.addEventListener("keydown", keyInEditor);
    if (cell.kind === "level") field.addEventListener("change", () => coarse.matches && commit({}));
    box.addEventListener("focusout", (event) => {
      if (editor && !box.contains(event.relatedTarget)) commit();
    });
  };
  const keyInEditor = (event) => {
    const steps = { Enter: { row: event.shiftKey ? -1 : 1 }, Tab: { column: event.shiftKey ? -1 : 1 } };
    if (editor.field.matches("input")) Object.assign(steps, { ArrowDown: { row: 1 }, ArrowUp: { row: -1 } });
    const td = editor.td;
    if (event.key === "Escape") {
      close();
      go(td);
    } else if (steps[event.key]) {
      event.preventDefault();
      if (editor.tds.length > 1) {
        if (commit({})) go(td, { extend: true });
      } else commit(steps[event.key]);
    }
    event.stopPropagation();
  };

  // == Keys
  const shown = (td) => td.offsetParent !== null || td.getClientRects().length > 0;
  const move = (td, { row = 0, column = 0 }, options) => {
    const at = place(td);
    const cells = rows[Math.max(0, Math.min(at.row + row, rows.length - 1))].cells;
    const next = cells[Math.max(1, Math.min(at.column + column, cells.length - 1))];
    go(shown(next) ? next : cells[at.column], options);
  };
  const FAR = 100_000;
  const TO = {
    ArrowUp: { row: -1 }, ArrowDown: { row: 1 }, ArrowLeft: { column: -1 }, ArrowRight: { column: 1 },
    PageUp: { row: -12 }, PageDown: { row: 12 }, Home: { column: -FAR }, End: { column: FAR },
  };
  const keyInGrid = (event) => {
    const td = cellOf(event.target);
    if (!td || editor) return;
    const isControl = event.ctrlKey || event.metaKey;
    const to = TO[event.key];
    if (to) {
      event.preventDefault();
      let step = to;
      if (isControl && event.key.startsWith("Arrow")) step = { row: (to.row ?? 0) * FAR, column: (to.column ?? 0) * FAR };
      else if (isControl) step = { ...to, row: event.key === "Home" ? -FAR : FAR };
      move(td, step, { extend: event.shiftKey });
      return;
    }
    if (isControl && event.key.toLowerCase() === "a") {
      event.preventDefault();
      anchor = rows[0].cells[1];
      go([...rows.at(-1).cells].at(-1), { extend: true });
      return;
    }
    if (!mayEdit || isControl || event.altKey) return;
    const kind = td.parentElement.dataset.kind;
    if (event.key === "Delete" || event.key === "Backspace") put(selected().flat(), "");
    else if (event.key === "Enter" || event.key === "F2") edit(td);
    else if (event.key === " ") edit(td);
    else if (event.key === "Escape") go(td);
    else if (event.key.length !== 1) return;
    else if (kind === "switch") {
      const found = parse(read(td), event.key);
      if (found.fault) say(found.fault);
      else put(selected().flat(), event.key);
    } else edit(td, event.key);
    event.preventDefault();
  };
  document.addEventListener("keydown", keyInGrid);

  // == Pointer
  document.addEventListener("mousedown", (event) => {
    const td = cellOf(event.target);
    if (!td || event.button || event.target.closest(".matrix-editor")) return;
    event.preventDefault();
    if (editor) commit();
    go(td, { extend: event.shiftKey });
    dragging = !coarse.matches;
  });
  document.addEventListener("mouseover", (event) => {
    const td = dragging && cellOf(event.target);
    if (td && td !== active) go(td, { extend: true });
  });
  document.addEventListener("mouseup", () => {
    dragging = false;
  });
  document.addEventListener("click", (event) => {
    const td = cellOf(event.target);
    if (!mayEdit || !td || event.shiftKey || td !== active || anchor !== td || event.target.closest(".matrix-editor")) return;
    const isSwitch = td.parentElement.dataset.kind === "switch";
    if (coarse.matches || (isSwitch && event.target.matches("span"))) edit(td);
  });
  document.addEventListener("dblclick", (event) => {
    const td = cellOf(event.target);
    if (td && td.parentElement.dataset.kind !== "switch" && !coarse.matches) edit(td);
  });
  document.addEventListener("focusin", (event) => {
    const td = cellOf(event.target);
    if (td && td === event.target && td !== active) go(td);
  });

  // == Clipboard: tab-separated text, as spreadsheets have it
  const plain = (td) => {
    const cell = read(td);
    if (cell.effective === null) return "";
    const text = cell.kind === "level" ? matrix.show(cell, cell.effective) : cell.effective;
    return /[\t\n"]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const block = (text) => {
    const found = [[]];
    const parts = text.replace(/\r\n?/g, "\n").replace(/\n$/, "").matchAll(/(?:"((?:[^"]|"")*)"|([^\t\n]*))(\t|\n|$)/g);
    for (const [, quoted, bare, end] of parts) {
      found.at(-1).push(quoted === undefined ? bare : quoted.replaceAll('""', '"'));
      if (end === "\n") found.push([]);
      if (end === "") break;
    }
    return found;
  };
  const isInGrid = () => !editor && isCell(document.activeElement);
  const copy = (event) => {
    if (!isInGrid()) return;
    event.preventDefault();
    const lines = selected().map((line) => line.map(plain).join("\t"));
    event.clipboardData.setData("text/plain", lines.join("\n"));
    say(`${many(selected().flat().length, "cell")} copied.`);
  };
  document.addEventListener("copy", copy);
  document.addEventListener("cut", (event) => {
    if (!isInGrid() || !mayEdit) return;
    copy(event);
    put(selected().flat(), "");
  });
  document.addEventListener("paste", (event) => {
    if (!isInGrid() || !mayEdit) return;
    event.preventDefault();
    paste(block(event.clipboardData.getData("text/plain")));
  });
  const paste = (lines) => {
    const { top, bottom, left, right } = bounds();
    const [height, width] = [lines.length, Math.max(...lines.map((line) => line.length))];
    // A selection that takes the block several times over is filled with it.
    const [tall, wide] = [bottom - top + 1, right - left + 1];
    const [down, across] = [tall % height ? 1 : tall / height, wide % width ? 1 : wide / width];
    const edits = [];
    let outside = 0;
    for (let y = 0; y < height * Math.max(down, 1); y += 1) {
      const line = lines[y % height];
      for (let x = 0; x < width * Math.max(across, 1); x += 1) {
        const text = line[x % width];
        const td = rows[top + y]?.cells[left + x];
        if (text === undefined) continue;
        if (!td) outside += 1;
        else edits.push({ cell: read(td), ...parse(read(td), text), raw: text });
      }
    }
    change(edits);
    const wrong = edits.filter((each) => each.fault).length;
    anchor = rows[top].cells[left];
    const last = edits.at(-1)?.cell.td;
    if (last) go(last, { extend: true });
    say([
      `${many(edits.length, "cell")} pasted.`,
      wrong ? `${many(wrong, "cell")} to correct.` : "",
      outside ? `${many(outside, "cell")} did not fit.` : "",
    ].join(" "));
  };

  // == One column at a time on small screens
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  const onlyOne = () => {
    const select = one("#column");
    one("[data-one]").hidden = !narrow.matches;
    const at = matrix.heads().findIndex((head) => head.dataset.offer === select.value) + 1;
    const others = `.matrix tr:not(.matrix-group) > :nth-child(n + 2):not(:nth-child(${at}))`;
    sheet.replaceSync(narrow.matches && at ? `${others} { display: none; }` : "");
  };
  narrow.addEventListener("change", onlyOne);
  document.addEventListener("change", (event) => event.target.matches("#column") && onlyOne());

  // == The matrix was drawn anew: the place stays, if it is still there
  let was = null;
  matrix.onDraw(() => {
    const key = was;
    rows = all("tr[data-feature]", matrix.table());
    const first = rows.length ? [...rows[0].cells].find((td) => td.cellIndex && shown(td)) : null;
    onlyOne();
    if (!active?.isConnected) {
      active = (key && matrix.cells.get(key)) || first || rows[0]?.cells[1] || null;
      anchor = active;
    }
    if (active) active.tabIndex = 0;
    if (!anchor?.isConnected) anchor = active;
  });
  document.addEventListener("focusin", () => {
    if (active?.isConnected) was = read(active).key;
  });
})();
