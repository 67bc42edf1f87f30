// The matrix: its cells, unsaved changes and how they are undone, and which groups are in the page. matrix-saving.js saves
// and settles conflicts; matrix-keys.js is keys, pointer and clipboard. Without them the page shows the same values, and
// links where to edit them.
(() => {
  "use strict";
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (tag, text = "", facts = {}) => Object.assign(document.createElement(tag), { textContent: text }, facts);
  const many = (count, word) => `${count.toLocaleString("en-GB")} ${word}${count === 1 ? "" : "s"}`;

  let table = one("[data-matrix]");
  if (!table) return;
  const mayEdit = table.dataset.save !== undefined;
  const tools = one("[data-tools]");
  const problems = one("[data-problems]");
  const changes = new Map(); // "offer feature" → what is to be saved there
  const conflicts = new Map(); // the same → what somebody else saved there
  const seen = new Map(); // offer → the version that is shown, or was when its first change was made
  const cells = new Map(); // the same keys → the cells in the page
  const listeners = [];
  let done = [];
  let undone = [];
  let repeated = [];
  const matrix = { busy: false, news: "" }; // what the other scripts of the page work with

  const say = (text) => {
    one("[data-said]").textContent = text;
  };

  // == Values: none is null, others are spelled as people type them
  const YES = ["yes", "y", "true", "on", "1", "x", "✓", "included"];
  const NO = ["no", "n", "false", "off", "0", "✕", "not included"];
  const parse = ({ kind, choices }, text) => {
    const word = text.trim().toLowerCase();
    if (["", "–", "-"].includes(word)) return { value: null };
    if (kind === "switch") {
      if (YES.includes(word)) return { value: "yes" };
      return NO.includes(word) ? { value: "no" } : { fault: "A switch is yes or no." };
    }
    if (kind === "limit") {
      if (["unlimited", "u", "∞"].includes(word)) return { value: "unlimited" };
      const isWhole = /^(\d{1,16}|\d{1,3}([\s,']\d{3}){1,5})$/.test(word); // 1,500 is one, 1,5 is not
      const number = Number(word.replace(/[\s,']/g, ""));
      const fits = isWhole && number <= Number.MAX_SAFE_INTEGER;
      return fits ? { value: String(number) } : { fault: "A limit is a whole number from 0, or unlimited." };
    }
    const found = choices.find(([code, name]) => [code, name.toLowerCase()].includes(word));
    return found ? { value: found[0] } : { fault: `Choose one of ${choices.map(([, name]) => name).join(", ")}.` };
  };
  const show = ({ kind, choices }, value) => {
    if (value === null) return "";
    if (kind === "switch") return value === "yes" ? "✓" : "✕";
    if (kind === "limit") return value === "unlimited" ? "Unlimited" : Number(value).toLocaleString("en-GB");
    return choices.find(([code]) => code === value)?.[1] ?? (choices.length ? `${value} (gone)` : value);
  };
  const inWords = (cell, value) => {
    if (value === null) return "nothing";
    return cell.kind === "switch" ? (value === "yes" ? "included" : "not included") : show(cell, value);
  };
  // == Cells
  const heads = () => [...table.tHead.rows[0].cells];
  const choicesOf = (row) => (row.dataset.choices ?? "").split("\n").filter(Boolean).map((line) => line.split("\t"));
  const read = (td) => {
    const row = td.parentElement;
    const head = heads()[td.cellIndex];
    const [offer, feature] = [head.dataset.offer, row.dataset.feature];
    const key = `${offer} ${feature}`;
    const change = changes.get(key);
    const [own, inherited] = [td.dataset.own ?? null, td.dataset.in ?? null];
    const value = change ? change.value : own;
    return {
      key, offer, feature, own, inherited, value, change, td,
      kind: row.dataset.kind,
      choices: choicesOf(row),
      group: row.parentElement.dataset.group,
      disputed: td.classList.contains("disputed"),
      names: [head.firstElementChild.textContent, row.cells[0].firstChild.data.trim()],
      unit: row.cells[0].lastElementChild.textContent.split(" · ")[1] ?? "",
      effective: value ?? inherited,
    };
  };
  const draw = (td) => {
    const cell = read(td);
    const fault = cell.change?.fault;
    const state = cell.value !== null ? "own" : cell.effective !== null || cell.disputed ? "in" : "none";
    td.classList.remove("own", "in", "none");
    td.classList.add(state);
    td.classList.toggle("off", cell.value === "no");
    td.classList.toggle("changed", Boolean(cell.change) && !fault);
    td.classList.toggle("wrong", Boolean(fault));
    td.classList.toggle("conflict", conflicts.has(cell.key));
    const text = cell.disputed && cell.value === null ? "differ" : show(cell, cell.effective);
    one("span", td).textContent = fault ? cell.change.raw : text;
    if (fault) td.title = fault;
    else td.removeAttribute("title");
  };
  const remember = () => {
    cells.clear();
    const offers = heads().map((head) => head.dataset.offer);
    for (const row of all("tr[data-feature]", table)) {
      for (const td of row.cells) if (td.cellIndex) cells.set(`${offers[td.cellIndex]} ${row.dataset.feature}`, td);
    }
    const busyOffers = new Set([...changes.values()].map((change) => change.offer));
    for (const { dataset } of heads().slice(1)) {
      if (busyOffers.has(dataset.offer)) continue;
      seen.set(dataset.offer, { version: Number(dataset.version) || null, draft: dataset.draft !== undefined });
    }
    for (const key of changes.keys()) if (cells.has(key)) draw(cells.get(key));
    for (const listen of listeners) listen();
  };

  // == Changes. What would only repeat the inherited value is no value of its own.
  const wanted = (cell, value) => {
    const nothing = { switch: "no", limit: "0" }[cell.kind];
    if (value === null || value === cell.own || cell.disputed) return value;
    return value === (cell.inherited ?? nothing) ? null : value;
  };
  const change = (edits) => {
    const step = new Map();
    for (const { cell, value, fault, raw } of edits) {
      const before = changes.get(cell.key);
      const next = fault ? null : wanted(cell, value);
      const own = before ? before.seen : cell.own;
      const after = !fault && next === own ? undefined : { ...(before ?? told(cell)), value: next, fault, raw };
      if (after === undefined && before === undefined) continue;
      step.set(cell.key, [before, after]);
    }
    if (!step.size) return;
    matrix.news = "";
    done.push(step);
    undone = [];
    take(step, 1);
  };
  const told = ({ offer, feature, kind, choices, names, group, own, inherited }) => (
    { offer, feature, kind, choices, names, group, inherited, seen: own }
  );
  const ownOrNot = (cell, value) => {
    if (value !== null) return inWords(cell, value);
    return cell.inherited === null ? "nothing" : `inherits ${inWords(cell, cell.inherited)}`;
  };
  const take = (step, side) => {
    for (const [key, sides] of step) {
      if (sides[side]) changes.set(key, sides[side]);
      else changes.delete(key);
      conflicts.delete(key);
      if (cells.has(key)) draw(cells.get(key));
    }
    refresh();
  };
  const undo = () => {
    const step = done.pop();
    if (!step) return;
    undone.push(step);
    take(step, 0);
    say("Undone.");
  };
  const redo = () => {
    const step = undone.pop();
    if (!step) return;
    done.push(step);
    take(step, 1);
    say("Done again.");
  };
  const forget = () => {
    const keys = [...changes.keys()];
    changes.clear();
    conflicts.clear();
    [done, undone] = [[], []];
    for (const key of keys) if (cells.has(key)) draw(cells.get(key));
    problems.hidden = true;
    refresh();
  };

  // == What the page tells of them
  const SHOWN = 200;
  const listed = (change) => {
    const item = make("li");
    const words = make("span", `${change.names[0]} · ${change.names[1]} `);
    words.append(
      make("del", ownOrNot(change, change.seen), { className: "quiet" }), " → ",
      make("ins", change.fault ? change.raw : ownOrNot(change, change.value)),
    );
    if (change.fault) words.append(make("span", ` ${change.fault}`, { className: "field-error" }));
    const back = make("button", "Undo", { type: "button", className: "button", ariaLabel: `Undo ${change.names.join(", ")}` });
    back.addEventListener("click", () => {
      const key = `${change.offer} ${change.feature}`;
      const step = new Map([[key, [change, undefined]]]);
      done.push(step);
      take(step, 1);
    });
    item.append(words, back);
    return item;
  };
  const refresh = () => {
    if (!mayEdit) return;
    const found = [...changes.values()];
    const wrong = found.filter((each) => each.fault).length;
    const count = found.length ? many(found.length, "unsaved change") : matrix.news || "No unsaved changes";
    one("[data-count]").textContent = wrong ? `${count}, ${wrong} to correct` : count;
    one(".save-bar").toggleAttribute("data-changed", found.length > 0);
    one("[data-undo]").disabled = !done.length || matrix.busy;
    one("[data-redo]").disabled = !undone.length || matrix.busy;
    one("[data-discard]").disabled = !found.length || matrix.busy;
    one("button[data-save]").disabled = !found.length || matrix.busy || conflicts.size > 0;
    if (one("[data-list]").open) list();
    for (const body of table.tBodies) {
      const inside = found.filter((each) => each.group === body.dataset.group).length;
      const badge = one("[data-unsaved]", body);
      badge.hidden = !inside;
      badge.textContent = `${inside} unsaved`;
    }
    const clean = one("[data-clean]");
    const left = repeated.filter((each) => !changes.has(`${each.offer} ${each.feature}`)).length;
    clean.hidden = !left;
    clean.textContent = `Remove ${many(left, "repeated value")}`;
    matrix.tell?.();
  };
  const list = () => {
    const found = [...changes.values()];
    const items = make("ul", "", { className: "lines" });
    items.append(...found.slice(0, SHOWN).map(listed));
    const box = one(".matrix-changes");
    box.replaceChildren(found.length ? items : make("p", "Nothing to save.", { className: "quiet" }));
    if (found.length > SHOWN) box.append(make("p", `… and ${many(found.length - SHOWN, "more")}.`));
  };

  // == What is wrong is told above the matrix
  const complain = (title, ...lines) => {
    problems.dataset.of = "faults";
    problems.hidden = false;
    problems.replaceChildren(make("h2", title), ...lines.map((line) => make("p", line)));
    problems.scrollIntoView({ block: "nearest" });
  };

  // == Showing something else, without losing changes
  const fetched = async (address) => {
    const answer = await fetch(address);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!answer.ok || (!one("table", page) && !one(".matrix-panel", page))) throw new Error("not the matrix");
    return page;
  };
  const load = async (address) => {
    try {
      const page = await fetched(address);
      const fresh = one("[data-matrix]", page);
      if (!fresh) throw new Error("nothing to show"); // told by the page itself
      table.replaceWith(fresh);
      table = fresh;
      for (const place of [".toolbar-count", "#column", "[data-asks] .popup"]) one(place).replaceWith(one(place, page));
      opened = opens();
      history.replaceState(null, "", address);
      remember();
      refresh();
      clean();
    } catch {
      if (changes.size) complain("That can’t be shown now", "Perhaps nothing is called so. Your changes are still here.");
      else location.assign(address);
    }
  };
  const clean = async () => {
    if (!mayEdit) return;
    try {
      const solution = new URL(location.href).searchParams.get("solution") ?? "";
      const answer = await fetch(`${table.dataset.repeated}?solution=${encodeURIComponent(solution)}`);
      repeated = (await answer.json()).repeated;
    } catch {
      repeated = []; // it is an offer, no more
    }
    refresh();
  };
  const cleanUp = () => {
    change(repeated.filter((each) => !changes.has(`${each.offer} ${each.feature}`)).map((each) => {
      const key = `${each.offer} ${each.feature}`;
      if (!seen.has(each.offer)) seen.set(each.offer, { version: each.version, draft: each.draft });
      const choices = cells.has(key) ? choicesOf(cells.get(key).parentElement) : [];
      const cell = { ...each, key, choices, names: [each.name, each.feature_name] };
      return { cell, value: null };
    }));
    say("They are unsaved changes now: look at them, then save.");
  };

  // == Groups: the least recently opened one makes room
  const opens = () => all("tbody", table).filter((body) => body.rows.length > 1).map((body) => body.dataset.group);
  let opened = opens();
  const most = Number(table.dataset.most);
  const body = (group) => one(`tbody[data-group="${CSS.escape(group)}"]`, table);
  const weight = (rows) => rows * (heads().length - 1);
  const note = () => {
    const address = new URL(location.href);
    address.searchParams.delete("open");
    const pages = opened.map((group) => (body(group).dataset.page > 1 ? `${group}:${body(group).dataset.page}` : group));
    for (const each of pages.length ? pages : [""]) address.searchParams.append("open", each);
    history.replaceState(null, "", address);
  };
  const close = (group) => {
    const part = body(group);
    for (const row of all("tr[data-feature]", part)) row.remove();
    one(".matrix-pages", part)?.remove();
    one("[data-toggle]", part).setAttribute("aria-expanded", "false");
    opened = opened.filter((each) => each !== group);
  };
  const expand = async (group, page = 1) => {
    const isChanged = (name) => [...changes.values()].some((each) => each.group === name);
    const others = opened.filter((each) => each !== group);
    let total = weight(others.reduce((sum, each) => sum + body(each).rows.length - 1, Number(body(group).dataset.pageRows)));
    for (const each of others) {
      if (total <= most) break;
      if (isChanged(each)) continue;
      total -= weight(body(each).rows.length - 1);
      close(each);
    }
    if (total > most) {
      complain(`A page holds ${most.toLocaleString("en-GB")} cells`, "The open groups have unsaved changes: save or discard them, then open another.");
      remember();
      return;
    }
    const address = new URL(location.href);
    address.searchParams.set("part", page > 1 ? `${group}:${page}` : group);
    try {
      const fresh = one("tbody", await fetched(address));
      body(group).replaceWith(fresh);
      opened = [...opened.filter((each) => each !== group), group];
    } catch {
      complain("That group can’t be shown now", "Try again in a moment.");
    }
    note();
    remember();
    refresh();
    one("[data-toggle]", body(group)).focus({ preventScroll: true });
  };

  // == Listening
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-toggle], .matrix-pages a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const { group } = link.closest("tbody").dataset;
    if (link.matches("[data-toggle][aria-expanded='true']")) {
      close(group);
      note();
      remember();
    } else expand(group, Number(link.dataset.page ?? 1));
  });
  one("[data-asks]").addEventListener("submit", (event) => {
    event.preventDefault();
    const asked = new URLSearchParams([...new FormData(event.target)].filter(([, value]) => value));
    load(`${location.pathname}?${asked}`);
  });
  addEventListener("beforeunload", (event) => {
    if (changes.size) event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    if (!mayEdit || !(event.ctrlKey || event.metaKey) || event.altKey) return;
    const key = event.key.toLowerCase();
    const isTyping = event.target.matches("input, select, textarea");
    const act = { s: matrix.save, z: isTyping ? null : event.shiftKey ? redo : undo, y: isTyping ? null : redo }[key];
    if (!act) return;
    event.preventDefault();
    if (isTyping) event.target.blur(); // what is being typed counts
    act();
  });
  Object.assign(matrix, {
    all, one, make, many, say, parse, show, inWords, ownOrNot, read, draw, change, forget, refresh, complain, load, heads, mayEdit,
    changes, conflicts, seen, cells, table: () => table, onDraw: (listen) => listeners.push(listen),
    forgetSteps: () => { [done, undone] = [[], []]; },
  });
  window.planariumMatrix = matrix;
  if (mayEdit) {
    tools.hidden = false;
    one("[data-undo]").addEventListener("click", undo);
    one("[data-redo]").addEventListener("click", redo);
    one("[data-discard]").addEventListener("click", () => { forget(); say("Discarded."); });
    one("[data-clean]").addEventListener("click", cleanUp);
    one("[data-list]").addEventListener("toggle", list);
  }
  document.addEventListener("DOMContentLoaded", () => {
    remember();
    refresh();
    clean();
  });
})();
