// Paper is white, and shows the evidence of each step.
(function () {
  "use strict";
  const root = document.documentElement;
  let before, closed = [];
  window.addEventListener("beforeprint", function () {
    before = root.dataset.theme;
    root.dataset.theme = "light";
    closed = [...document.querySelectorAll("details.evidence:not([open])")];
    for (const details of closed) details.open = true;
  });
  window.addEventListener("afterprint", function () {
    if (before) root.dataset.theme = before; else delete root.dataset.theme;
    for (const details of closed) details.open = false;
  });
})();
