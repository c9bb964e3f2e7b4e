/* Draws every <div data-chart="URL">. The address answers with JSON:
     {"x": "step", "y": "loss", "categories": ["a", "b"] (bar charts; else x is a number),
      "series": [{"name": "train", "kind": "line" | "bar" | "scatter", "points": [[x, y] or [x, y, "name of the point"], ...],
                  "stack": "bars of one name stand on each other"}],
      "lines": [{"name": "threshold", "y": 0.5}], "y_min": 0, "y_max": 1, "whole": true (counts), "empty": "sentence when there are no points",
      "live": true}                                        while true it asks again every two seconds
   The same figures follow as a table for people who do not see the picture. */
"use strict";

(() => {
  const COLOURS = { light: ["#2457d6", "#c2570c", "#0b7a4b", "#8b3fc4", "#8a6d00"], dark: ["#8aadff", "#ffab70", "#56cc95", "#d4a3ff", "#e3c95a"] };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const charts = new Map();

  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function axis(name, isCategory, data) {
    return {
      type: isCategory ? "category" : "value", data: isCategory ? data.categories : undefined, name, nameLocation: "middle",
      nameGap: 30, scale: true, nameTextStyle: { color: token("--soft") }, axisLabel: { color: token("--soft"), hideOverlap: true },
      axisLine: { lineStyle: { color: token("--edge") } }, splitLine: { lineStyle: { color: token("--line") } },
    };
  }

  function drawn(series, index, data) {
    const kind = series.kind || "line";
    const marks = index === 0 ? (data.lines || []).map((line) => ({ yAxis: line.y, name: line.name, label: { formatter: "{b}", color: token("--soft"), position: "insideEndTop" } })) : [];
    return {
      name: series.name, type: kind, data: series.points, showSymbol: series.points.length < 40, symbolSize: kind === "scatter" ? 9 : 5,
      barMaxWidth: 40, stack: series.stack, lineStyle: { width: 2, type: index % 2 ? "dashed" : "solid" },
      markLine: marks.length ? { silent: true, symbol: "none", data: marks, lineStyle: { color: token("--soft"), type: "dotted" } } : undefined,
    };
  }

  // Names that do not fit beside each other take another line, and the drawing begins below it.
  const legendLines = (data, width) => Math.ceil(data.series.reduce((sum, one) => sum + one.name.length * 7 + 45, 0) / Math.max(width - 20, 120));

  function option(data, width) {
    const text = token("--ink");
    const isCategory = Array.isArray(data.categories);
    return {
      animation: !still.matches, aria: { enabled: true }, color: COLOURS[dark.matches ? "dark" : "light"], textStyle: { color: text },
      backgroundColor: "transparent", grid: { left: 58, right: 18, top: data.series.length > 1 ? 14 + 22 * legendLines(data, width) : 16, bottom: 46 },
      legend: data.series.length > 1 ? { top: 0, textStyle: { color: text } } : undefined,
      // A rich-text tooltip is painted on the canvas: an HTML one would need inline styles, and would take names as markup.
      tooltip: {
        trigger: data.series.some((one) => one.kind === "scatter") ? "item" : "axis", renderMode: "richText", confine: true,
        valueFormatter: (value) => (typeof value === "number" ? String(Number(value.toPrecision(4))) : value),
        backgroundColor: token("--card"), borderColor: token("--line"), textStyle: { color: text },
      },
      xAxis: axis(data.x, isCategory, data),
      yAxis: { ...axis(data.y, false, data), min: data.y_min, max: data.y_max, minInterval: data.whole ? 1 : 0 },
      series: data.series.map((series, index) => drawn(series, index, data)),
    };
  }

  function cell(row, tag, text) {
    const made = document.createElement(tag);
    made.textContent = typeof text === "number" ? String(Number(text.toPrecision(5))) : text ?? "";
    row.append(made);
  }

  function table(box, data) {
    let details = box.nextElementSibling;
    if (!details || !details.matches("details.chart-table")) {
      details = document.createElement("details");
      details.className = "chart-table";
      details.innerHTML = '<summary>The same as a table</summary><div class="table-wrap" tabindex="0"><table><thead></thead><tbody></tbody></table></div>';
      box.after(details);
    }
    const [head, body] = [details.querySelector("thead"), details.querySelector("tbody")];
    head.replaceChildren(document.createElement("tr"));
    for (const name of ["", data.x || "x", data.y || "y"]) cell(head.firstChild, "th", name);
    body.replaceChildren();
    for (const series of data.series) {
      for (const [x, y, name] of series.points) {
        const row = document.createElement("tr");
        cell(row, "td", name ? `${series.name}: ${name}` : series.name);
        cell(row, "td", x);
        cell(row, "td", y);
        body.append(row);
      }
    }
  }

  function say(box, sentence) {
    charts.get(box)?.dispose();
    charts.delete(box);
    const words = document.createElement("p");
    words.className = "meta";
    words.textContent = sentence;
    box.replaceChildren(words);
    box.classList.add("quiet");
  }

  function show(box, data) {
    box.chartData = data;
    if (!data.series.some((series) => series.points.length)) return say(box, data.empty || "Nothing to draw yet.");
    if (!charts.has(box)) {
      box.replaceChildren();
      box.classList.remove("quiet");
      charts.set(box, echarts.init(box));
    }
    charts.get(box).setOption(option(data, box.clientWidth), true);
    table(box, data);
  }

  // Asked again every two seconds while it is live, and ever less often while the server is away.
  async function load(box, pause = 2) {
    if (!box.isConnected) return say(box, "");
    let again = true;
    let next = 2;
    try {
      const response = await fetch(box.dataset.chart, { headers: { Accept: "application/json" } });
      if (!response.ok) throw new Error(String(response.status));
      const data = await response.json();
      show(box, data);
      again = data.live === true;
    } catch {
      next = Math.min(pause * 2, 15);
      if (!charts.has(box)) say(box, "The figures could not be fetched; trying again.");
    }
    if (again) setTimeout(load, next * 1000, box, next);
  }

  function begin(root) {
    for (const box of root.querySelectorAll("[data-chart]")) {
      if (box.dataset.chartBegun) continue;
      box.dataset.chartBegun = "yes";
      load(box);
    }
  }

  document.addEventListener("DOMContentLoaded", () => begin(document));
  document.addEventListener("htmx:load", (event) => begin(event.target.parentElement || event.target));
  addEventListener("resize", () => charts.forEach((chart, box) => {
    chart.resize();
    chart.setOption(option(box.chartData, box.clientWidth), true);
  }));
  dark.addEventListener("change", () => charts.forEach((chart, box) => chart.setOption(option(box.chartData, box.clientWidth), true)));
})();
