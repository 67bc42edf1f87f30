// Saving the matrix in one request, and settling with what others saved meanwhile: nobody's change is lost.
(() => {
  "use strict";
  const matrix = window.planariumMatrix;
  if (!matrix?.mayEdit) return;
  const { one, make, many, say, show, ownOrNot, draw, refresh, complain, changes, conflicts, seen, cells } = matrix;
  const problems = one("[data-problems]");
  const SHOWN = 200;

  // == Values as the server has them
  const toJson = (kind, value) => {
    if (value === null || kind === "level" || value === "unlimited") return value;
    return kind === "switch" ? value === "yes" : Number(value);
  };
  const fromJson = (value) => {
    if (value === null) return null;
    return typeof value === "boolean" ? (value ? "yes" : "no") : String(value);
  };

  // == Conflicts and faults: one section above the matrix
  const when = (at) => (at ? `, ${new Date(at).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" })}` : "");
  const settle = (key, isMine) => {
    const { theirs } = conflicts.get(key);
    const td = cells.get(key);
    conflicts.delete(key);
    if (td && theirs === null) delete td.dataset.own;
    else if (td) td.dataset.own = theirs;
    const mine = changes.get(key);
    if (isMine && mine && mine.value !== theirs) changes.set(key, { ...mine, seen: theirs });
    else changes.delete(key);
    if (td) draw(td);
  };
  const button = (text, act, label = text) => {
    const made = make("button", text, { type: "button", className: "button", ariaLabel: label });
    made.addEventListener("click", act);
    return made;
  };
  const tell = () => {
    if (!conflicts.size) {
      if (problems.dataset.of === "conflicts") problems.hidden = true;
      return;
    }
    const columns = [...new Set([...conflicts.values()].map((each) => each.moved).filter(Boolean))];
    const lines = [...conflicts].slice(0, SHOWN).map(([key, conflict]) => {
      const mine = changes.get(key);
      const names = mine.names.join(" · ");
      const line = make("li");
      const who = conflict.who ? ` (${conflict.who}${when(conflict.at)})` : "";
      const words = make("span");
      words.append(make("b", names), `: theirs ${ownOrNot(mine, conflict.theirs)}${who}, yours ${ownOrNot(mine, mine.value)}`);
      const choice = make("span", "", { className: "actions" });
      for (const [text, isMine] of [["Keep theirs", false], ["Keep mine", true]]) {
        choice.append(button(text, () => { settle(key, isMine); refresh(); }, `${text}: ${names}`));
      }
      line.append(words, choice);
      return line;
    });
    const rows = make("ul", "", { className: "lines" });
    rows.append(...lines);
    const everything = make("p", "", { className: "actions", hidden: conflicts.size < 2 });
    for (const [text, isMine] of [["Keep all theirs", false], ["Keep all mine", true]]) {
      everything.append(button(text, () => { for (const key of [...conflicts.keys()]) settle(key, isMine); refresh(); }));
    }
    problems.dataset.of = "conflicts";
    problems.hidden = false;
    problems.replaceChildren(
      make("h2", "Somebody else changed the same. Nothing is saved yet."),
      ...columns.map((text) => make("p", text)), rows, everything,
    );
  };
  const MOVED = { "version.published": "was published", "draft.discarded": "was discarded" };
  const conflicted = (answer) => {
    const moved = new Map();
    for (const column of answer.columns) {
      const name = [...changes.values()].find((each) => each.offer === column.offer)?.names[0] ?? column.offer;
      const what = MOVED[column.action] ?? "is another one now";
      const who = column.who ? ` by ${column.who}${when(column.at)}` : "";
      const next = column.is_draft ? "Keeping yours edits the draft there is now." : `Keeping yours begins a new draft from ${column.stage}.`;
      moved.set(column.offer, `The draft of ${name} ${what}${who}. ${next}`);
      seen.set(column.offer, { version: column.version, draft: column.is_draft });
    }
    for (const cell of answer.cells) {
      const key = `${cell.offer} ${cell.feature}`;
      conflicts.set(key, { theirs: fromJson(cell.theirs), who: cell.who, at: cell.at, moved: moved.get(cell.offer) });
      if (cells.has(key)) draw(cells.get(key));
    }
    matrix.forgetSteps();
    refresh();
    problems.scrollIntoView({ block: "nearest" });
    one("button", problems)?.focus({ preventScroll: true });
  };
  const faulty = (answer) => {
    for (const { offer, feature, message } of answer.faults ?? []) {
      const key = `${offer} ${feature}`;
      const wrong = changes.get(key);
      if (!wrong) continue;
      changes.set(key, { ...wrong, fault: message, raw: show(wrong, wrong.value) });
      if (cells.has(key)) draw(cells.get(key));
    }
    refresh();
    complain(answer.detail, answer.next_action);
  };

  // == Saving: one request
  const send = async () => {
    const columns = {};
    for (const { offer, feature, kind, seen: was, value } of changes.values()) {
      columns[offer] ??= { ...seen.get(offer), cells: {} };
      columns[offer].cells[feature] = [toJson(kind, was), toJson(kind, value)];
    }
    const token = one("[data-token] input").value;
    const headers = { "Content-Type": "application/json", "X-CSRFToken": token };
    const answer = await fetch(matrix.table().dataset.save, { method: "POST", headers, body: JSON.stringify({ columns }) });
    const isJson = answer.headers.get("Content-Type")?.startsWith("application/json");
    return [answer.status, isJson ? await answer.json() : null];
  };
  const save = async () => {
    if (matrix.busy || conflicts.size || !changes.size) return;
    const wrong = [...changes.entries()].find(([, each]) => each.fault);
    if (wrong) {
      complain("Some cells are to be corrected first", `${wrong[1].names.join(" · ")}: ${wrong[1].fault}`);
      matrix.focus?.(cells.get(wrong[0]));
      return;
    }
    matrix.busy = true;
    refresh();
    try {
      const [status, answer] = await send();
      matrix.busy = false;
      if (status === 200 && answer) {
        matrix.forget();
        const begun = answer.begun.length ? ` ${many(answer.begun.length, "draft")} begun.` : "";
        const reopened = answer.reopened.length ? ` ${many(answer.reopened.length, "draft")} taken out of review.` : "";
        matrix.news = `${many(answer.cells, "cell")} saved.${begun}${reopened}`;
        say(matrix.news);
        await matrix.load(location.href);
      } else if (status === 409 && answer?.cells) conflicted(answer);
      else if (answer?.detail) faulty(answer);
      else complain("Nothing was saved", "You may be signed out, or the page is too old. Sign in in another tab, then save again.");
    } catch {
      complain("Nothing was saved", "The server can’t be reached. Your changes are still here: save again in a moment.");
    } finally {
      matrix.busy = false;
      refresh();
    }
  };

  matrix.tell = tell;
  matrix.save = save;
  one("button[data-save]").addEventListener("click", save);
})();
