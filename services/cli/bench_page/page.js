"use strict";
(() => {
  const plots = JSON.parse(document.getElementById("data").textContent);
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const names = ["--a", "--b", "--c", "--d", "--e", "--f"];
  const dashes = [[], [8, 4], [2, 4]];
  const axis = (label, more) => ({
    label, stroke: color("--text"), grid: { stroke: color("--line"), width: 1 },
    ticks: { stroke: color("--line"), width: 1 }, size: 64, ...more,
  });
  const drawn = [];
  const draw = () => {
    while (drawn.length) drawn.pop().destroy();
    for (const plot of plots) {
      const place = document.getElementById(plot.id);
      drawn.push(new uPlot({
        width: place.clientWidth, height: 300,
        scales: {
          x: { time: false },
          y0: { range: (_, low, high) => [0, Math.max(high, 1e-9) * 1.05] },
          y1: { range: (_, low, high) => [0, Math.max(high, 1e-9) * 1.05] },
        },
        axes: [
          axis(plot.x.label, { size: 40 }),
          ...plot.y.map((one, number) => axis(one.label, {
            scale: "y" + number, side: number ? 1 : 3, grid: { show: !number, stroke: color("--line"), width: 1 },
          })),
        ],
        series: [
          { label: plot.x.label },
          ...plot.series.map((one, number) => ({
            label: one.label, scale: "y" + one.axis, width: 2, stroke: color(names[number % names.length]),
            dash: dashes[Math.floor(number / names.length) % dashes.length],
            points: { show: Boolean(one.points), size: 8 }, value: (_, value) => value == null ? "–" : value.toPrecision(3),
          })),
        ],
      }, [plot.x.values, ...plot.series.map((one) => one.values)], place));
    }
  };
  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  let asked = 0;
  addEventListener("resize", () => { cancelAnimationFrame(asked); asked = requestAnimationFrame(draw); });
  addEventListener("beforeprint", draw);
})();
