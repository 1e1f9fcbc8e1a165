"use strict";
// Draws the charts, and writes each as a table for those who read rather than look.
const Charts = (() => {
  const drawn = new Map();
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const variable = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const format = {
    s: (value) => (value < 1 ? `${Math.round(value * 1000)} ms` : `${value.toFixed(2)} s`),
    "tokens/s": (value) => value.toFixed(value < 10 ? 1 : 0),
    requests: (value) => String(Math.round(value * 10) / 10),
    share: (value) => `${(value * 100).toFixed(value < 0.1 ? 1 : 0)} %`,
  };
  const clock = (seconds, withDay) => {
    const text = new Date(seconds * 1000).toISOString();
    return withDay ? `${text.slice(5, 10)} ${text.slice(11, 16)}` : text.slice(11, 16);
  };

  function element(name, text, attributes = {}) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  function options(data, width) {
    const ink = variable("--ink-soft");
    const grid = { stroke: variable("--line"), width: 1 };
    const font = `11px ${getComputedStyle(document.body).fontFamily}`;
    const isLong = data.times.at(-1) - data.times[0] > 86400;
    const axis = { stroke: ink, grid, ticks: { show: false }, font };
    return {
      width,
      height: 176,
      legend: { show: false },
      cursor: { points: { size: 6 }, drag: { x: false, y: false } },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      scales: { y: { range: (_u, _low, high) => [0, top(data.unit, high)] } },
      axes: [
        { ...axis, space: 70, size: 28, values: (_u, ticks) => ticks.map((tick) => clock(tick, isLong)) },
        { ...axis, size: 58, incrs: data.unit === "requests" ? [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000] : undefined, values: (_u, ticks) => ticks.map((tick) => (tick === 0 ? "0" : format[data.unit](tick))) },
      ],
      series: [
        {},
        ...data.lines.map((line) => ({
          label: line.label,
          stroke: variable(`--line-${line.model + 1}`),
          width: line.upper ? 1.5 : 2,
          dash: line.upper ? [5, 4] : [],
          points: { size: 6, fill: variable("--card"), show: (chart, series) => isSparse(chart.data[series]) },
        })),
      ],
    };
  }

  function top(unit, high) {
    if (unit === "share") return 1;
    return unit === "requests" ? Math.max(4, high * 1.08) : high > 0 ? high * 1.08 : 1;
  }

  // A line of single points would not be seen.
  function isSparse(values) {
    return values.some(
      (value, at) => value !== null && (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null,
    );
  }

  function sentence(title, data) {
    const said = data.lines.map((line) => {
      const known = line.values.filter((value) => value !== null);
      if (!known.length) return `${line.label}: nothing`;
      return `${line.label}: last ${format[data.unit](known.at(-1))}, most ${format[data.unit](Math.max(...known))}`;
    });
    return `${title}. ${said.join("; ") || "Nothing in this time"}.`;
  }

  function legend(list, data) {
    const entries = data.lines.map((line) => {
      const entry = element("li", undefined, { class: `of-${line.model + 1}${line.upper ? " upper" : ""}` });
      entry.append(element("i"), element("span", line.label));
      return entry;
    });
    list.replaceChildren(...entries);
  }

  function table(target, data) {
    const head = element("tr");
    head.append(element("th", "Time, UTC", { scope: "col" }));
    for (const line of data.lines) head.append(element("th", line.label, { scope: "col", class: "number" }));
    const rows = [];
    for (let at = data.times.length - 1; at >= 0; at -= 1) {
      if (data.lines.every((line) => line.values[at] === null)) continue;
      const row = element("tr");
      row.append(element("th", clock(data.times[at], true), { scope: "row" }));
      for (const line of data.lines) {
        const value = line.values[at];
        row.append(element("td", value === null ? "–" : format[data.unit](value), { class: "number" }));
      }
      rows.push(row);
    }
    const [top, body] = [element("thead"), element("tbody")];
    top.append(head);
    body.append(...rows);
    target.replaceChildren(top, body);
  }

  function draw(figure, data) {
    const plot = figure.querySelector(".plot");
    const known = drawn.get(figure);
    const values = [data.times, ...data.lines.map((line) => line.values)];
    const shape = JSON.stringify([data.unit, data.lines.map((line) => [line.label, line.model]), dark.matches]);
    if (known && known.shape === shape) {
      known.chart.setData(values);
    } else {
      known?.chart.destroy();
      const chart = new uPlot(options(data, Math.max(120, plot.clientWidth)), values, plot);
      drawn.set(figure, { chart, shape });
    }
    drawn.get(figure).data = data;
  }

  function show(charts) {
    for (const figure of document.querySelectorAll("[data-chart]")) {
      const data = charts[figure.dataset.chart];
      const isEmpty = !data || data.lines.every((line) => line.values.every((value) => value === null));
      const nothing = figure.querySelector(".nothing");
      nothing.hidden = !isEmpty;
      // What nobody has said is not the same as nothing.
      nothing.textContent = data ? "Nothing in this time." : "Not known: the store has not answered.";
      figure.querySelector(".plot").hidden = isEmpty;
      figure.querySelector("details").hidden = isEmpty;
      figure.querySelector(".legend").hidden = isEmpty;
      if (isEmpty) continue;
      const title = figure.querySelector("strong").textContent;
      figure.querySelector(".plot").setAttribute("aria-label", sentence(title, data));
      legend(figure.querySelector(".legend"), data);
      table(figure.querySelector("table"), data);
      draw(figure, data);
    }
  }

  dark.addEventListener("change", () => {
    for (const [figure, { data }] of drawn) draw(figure, data);
  });
  const sizes = new ResizeObserver((entries) => {
    for (const { target, contentRect } of entries) {
      const known = drawn.get(target.closest("[data-chart]"));
      if (known && contentRect.width > 0 && Math.abs(known.chart.width - contentRect.width) > 1) {
        known.chart.setSize({ width: contentRect.width, height: 176 });
      }
    }
  });
  for (const plot of document.querySelectorAll(".plot")) sizes.observe(plot);
  return { show };
})();
