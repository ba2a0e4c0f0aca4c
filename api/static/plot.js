// I-V and P-V on one chart: points as measured, the fit as a line, the power on its own axis.
"use strict";

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

async function drawChart(box) {
  if (box.dataset.drawn) return;
  box.dataset.drawn = "1";
  const response = await fetch(box.dataset.curve).catch(() => null);
  if (!response?.ok) return;
  const curve = await response.json();
  const rows = curve.voltage.map((v, i) => [v, curve.current[i], null]);
  (curve.fit?.voltage ?? []).forEach((v, i) => rows.push([v, null, curve.fit.current[i]]));
  rows.sort((a, b) => a[0] - b[0]);
  const power = rows.map(([v, i, fit]) => (fit ?? i) === null ? null : v * (fit ?? i));
  const axis = { stroke: colour("--ink"), grid: { stroke: colour("--rule"), width: 1 }, ticks: { stroke: colour("--rule") }, font: "15px system-ui", labelFont: "15px system-ui", labelSize: 26 };
  const size = () => ({ width: box.clientWidth, height: Math.max(box.clientHeight, 260) });
  const measured = { label: box.dataset.current, stroke: colour("--blue"), paths: () => null, points: { show: true, size: 5, fill: colour("--blue") } };
  const chart = new uPlot({
    ...size(),
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: false }, A: { range: (_, __, max) => [0, max * 1.08] }, W: { range: (_, __, max) => [0, max * 1.15] } },
    axes: [
      { ...axis, label: box.dataset.voltage },
      { ...axis, scale: "A", label: box.dataset.current },
      { ...axis, scale: "W", side: 1, grid: { show: false }, label: box.dataset.power, stroke: colour("--amber") },
    ],
    series: [
      {},
      { ...measured, scale: "A" },
      { label: "fit", scale: "A", stroke: colour("--blue"), width: 1.5, spanGaps: true, points: { show: false } },
      { label: box.dataset.power, scale: "W", stroke: colour("--amber"), width: 2.5, spanGaps: true, points: { show: false } },
    ],
  }, [rows.map((r) => r[0]), rows.map((r) => r[1]), rows.map((r) => r[2]), power], box);
  new ResizeObserver(() => chart.setSize(size())).observe(box);
}

function drawCharts(root) {
  root.querySelectorAll?.("[data-curve]").forEach(drawChart);
}
