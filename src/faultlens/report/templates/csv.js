// Each table as a CSV file, from where it stands. A cell that a spreadsheet would run is made text.
(function () {
  "use strict";

  function field(cell) {
    let text = cell.innerText.replace(/\s+/g, " ").trim();
    if (/^[=+\-@\t\r]/.test(text) && isNaN(text)) text = "'" + text;
    return '"' + text.replace(/"/g, '""') + '"';
  }
  function lines(table) {
    const rows = [table.tHead.rows[0], ...[...table.tBodies].map((body) => body.rows[0])];
    return rows.map((row) => [...row.cells].map(field).join(",")).join("\r\n") + "\r\n";
  }

  for (const holder of document.querySelectorAll(".table")) {
    const caption = holder.querySelector(".caption");
    const name = caption.textContent.toLowerCase().replace(/[^a-z0-9]+/g, "-").slice(0, 48);
    const button = document.createElement("button");
    button.type = "button";
    button.className = "csv";
    button.textContent = "CSV";
    button.setAttribute("aria-label", "CSV of this table");
    button.addEventListener("click", function () {
      const file = new Blob([lines(holder.querySelector("table"))], { type: "text/csv;charset=utf-8" });
      const link = document.createElement("a");
      link.href = URL.createObjectURL(file);
      link.download = name.replace(/^-|-$/g, "") + ".csv";
      link.click();
      URL.revokeObjectURL(link.href);
    });
    caption.append(" ", button);
  }
})();
