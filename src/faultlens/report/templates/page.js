// Draws the figures in the colours of the page's theme, and lets the reader switch the theme.
(function () {
  "use strict";
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  function colour(name) {  // what a CSS variable comes to in the theme in force
    const probe = document.createElement("span");
    probe.style.color = "var(--" + name + ")";
    root.appendChild(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  }

  function coloured(figure) {
    const ink = colour("ink"), quiet = colour("quiet"), rule = colour("rule");
    const { data, layout } = structuredClone(figure);
    layout.font.color = ink;
    layout.hoverlabel = { bgcolor: colour("raised"), bordercolor: rule, font: { color: ink } };
    for (const name of Object.keys(layout).filter((key) => /^[xy]axis[0-9]*$/.test(key))) {
      Object.assign(layout[name], { gridcolor: rule, linecolor: rule, zerolinecolor: rule, tickcolor: rule });
    }
    for (const shape of layout.shapes || []) shape.line.color = quiet;
    for (const trace of data) {
      if (trace.type === "heatmap") {
        trace.colorscale = [[0, colour("heat-low")], [1, colour("heat-high")]];
        trace.textfont = { color: ink };
      }
    }
    return { data, layout };
  }

  function draw() {
    if (!window.Plotly) return;
    for (const plot of document.querySelectorAll(".plot")) {
      const figure = JSON.parse(document.getElementById(plot.dataset.figure).textContent);
      const { data, layout } = coloured(figure);
      Plotly.react(plot, data, layout, { displayModeBar: false, responsive: true });
    }
  }

  function isDark() {
    return root.dataset.theme ? root.dataset.theme === "dark" : dark.matches;
  }

  const button = document.getElementById("theme");
  function label() {
    button.textContent = isDark() ? "Light theme" : "Dark theme";
  }
  button.hidden = false;
  button.addEventListener("click", function () {
    root.dataset.theme = isDark() ? "light" : "dark";
    label();
    draw();
  });
  dark.addEventListener("change", function () { label(); draw(); });

  let before;
  window.addEventListener("beforeprint", function () {  // paper is white
    before = root.dataset.theme;
    root.dataset.theme = "light";
    draw();
  });
  window.addEventListener("afterprint", function () {
    if (before) root.dataset.theme = before; else delete root.dataset.theme;
    draw();
  });
  label();
  draw();
})();
