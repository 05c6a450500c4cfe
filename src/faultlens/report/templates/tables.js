// Tables: rows that open, long ones shown in part, and lists that are sorted, searched and chosen from.
(function () {
  "use strict";

  function element(name, properties, children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...(children || []));
    return made;
  }

  function cellText(cell) {
    return cell.textContent.replace(/\s+/g, " ").trim();
  }
  function value(body, column) {
    const cell = body.rows[0].cells[column];
    return cell.dataset.value !== undefined ? cell.dataset.value : cellText(cell);
  }

  function opener(body, number) {
    const opened = body.rows[1];
    if (!opened) return;
    const name = body.rows[0].cells[0];
    opened.id = "opened-" + number;
    const button = element("button", { type: "button", className: "opener" }, [...name.childNodes]);
    button.setAttribute("aria-expanded", "false");
    button.setAttribute("aria-controls", opened.id);
    button.addEventListener("click", function () { open(body, !body.classList.contains("open")); });
    name.append(button);
  }
  function open(body, whether) {
    body.classList.toggle("open", whether);
    body.rows[0].querySelector(".opener").setAttribute("aria-expanded", String(whether));
  }

  let numbers = 0;
  for (const holder of document.querySelectorAll(".table")) {
    const table = holder.querySelector("table");
    const bodies = [...table.tBodies];
    const scroll = holder.querySelector(".scroll");
    const first = Number(holder.dataset.first || 0);
    const chosen = [];
    let words = "";
    let all = !first;

    for (const body of bodies) opener(body, numbers++);

    function fits(body) {
      if (chosen.some(([column, wanted]) => wanted && value(body, column) !== wanted)) return false;
      return !words || cellText(body.rows[0]).toLowerCase().includes(words);
    }
    const more = element("button", { type: "button", className: "more" });
    const count = element("span", { className: "count" });
    count.setAttribute("role", "status");
    function show() {
      let found = 0;
      for (const body of table.tBodies) {
        const fitting = fits(body);
        found += fitting;
        body.hidden = !fitting || (!all && found > first);
      }
      more.hidden = all || found <= first;
      more.textContent = "Show all " + found.toLocaleString("en") + " " + holder.dataset.rows;
      count.textContent = found === bodies.length ? "" : found.toLocaleString("en") + " of " + bodies.length.toLocaleString("en") + " " + holder.dataset.rows;
    }
    more.addEventListener("click", function () { all = true; show(); });

    if (holder.classList.contains("browsable")) {
      const tools = element("div", { className: "tools" });
      const search = element("input", { type: "search" });
      search.addEventListener("input", function () { words = search.value.trim().toLowerCase(); show(); });
      tools.append(element("label", {}, ["Search ", search]));
      [...table.tHead.rows[0].cells].forEach(function (head, column) {
        const name = cellText(head);
        if (head.dataset.chosen !== undefined) {
          const choice = [column, ""];
          const values = [...new Set(bodies.map((body) => value(body, column)))].sort();
          const select = element("select", {}, [element("option", { value: "", textContent: "any" })]);
          for (const one of values) select.append(element("option", { value: one, textContent: one }));
          select.addEventListener("change", function () { choice[1] = select.value; show(); });
          chosen.push(choice);
          tools.append(element("label", {}, [head.dataset.chosen + " ", select]));
        }
        const sorter = element("button", { type: "button", className: "sorter" }, [name]);
        sorter.addEventListener("click", function () { sort(head, column); });
        head.replaceChildren(sorter);
      });
      tools.append(count);
      scroll.before(tools);
    }
    function sort(head, column) {
      const rising = head.getAttribute("aria-sort") !== "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", rising ? "ascending" : "descending");
      const keyed = [...table.tBodies].map((body) => [value(body, column), body]);
      const numeric = keyed.every(([key]) => key !== "" && !isNaN(key));
      keyed.sort(function ([one], [other]) {
        return numeric ? one - other : String(one).localeCompare(String(other), "en", { numeric: true });
      });
      if (!rising) keyed.reverse();
      for (const [, body] of keyed) table.append(body);
      show();
    }
    if (first || holder.classList.contains("browsable")) {
      scroll.after(more);
      show();
    }
  }

  // A link to something inside a row or a fold opens what hides it.
  function reveal() {
    const place = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!place) return;
    for (let up = place; up; up = up.parentElement) {
      if (up.tagName === "DETAILS") up.open = true;
      if (up.tagName === "TBODY") {
        up.hidden = false;
        if (up.rows[1] && (up === place || up.rows[1].contains(place))) open(up, true);
      }
    }
    place.scrollIntoView();
  }
  window.addEventListener("hashchange", reveal);
  if (location.hash) reveal();
})();
