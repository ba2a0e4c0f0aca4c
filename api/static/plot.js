// I-V and P-V on one chart: points as measured, the model as a line, the power on its own axis.
"use strict";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function rowsOf(curve) {
  const rows = curve.voltage.map((v, i) => ({ v, measured: curve.current[i], fit: null }));
  for (const [i, v] of (curve.fit?.voltage ?? []).entries()) rows.push({ v, measured: null, fit: curve.fit.current[i] });
  rows.sort((a, b) => a.v - b.v);
  // The power of the points, for they are what was measured; a line through them is enough to see it.
  return [rows.map((r) => r.v), rows.map((r) => r.measured), rows.map((r) => r.fit),
    rows.map((r) => (r.measured === null ? null : r.v * r.measured))];
}

function markMaximum(box) {
  const v = Number(box.dataset.vMp);
  const p = Number(box.dataset.pMp);
  return (chart) => {
    const { ctx } = chart;
    const [x, y] = [chart.valToPos(v, "x", true), chart.valToPos(p, "W", true)];
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = colour("--amber");
    ctx.lineWidth = 2 * devicePixelRatio;
    ctx.beginPath();
    ctx.arc(x, y, 7 * devicePixelRatio, 0, 2 * Math.PI);
    ctx.stroke();
    ctx.font = `600 ${15 * devicePixelRatio}px system-ui`;
    ctx.textAlign = "center";
    const label = [`${p.toLocaleString(document.documentElement.lang, { maximumFractionDigits: 1 })} W`, x, y + 34 * devicePixelRatio];
    ctx.strokeStyle = colour("--card"); // so that it can be read across the lines
    ctx.lineWidth = 6 * devicePixelRatio;
    ctx.strokeText(...label);
    ctx.fillText(...label);
    ctx.restore();
  };
}

function options(box, size) {
  const axis = { stroke: colour("--ink"), grid: { stroke: colour("--rule"), width: 1 }, ticks: { stroke: colour("--rule") }, font: "15px system-ui", labelFont: "15px system-ui", labelSize: 24, size: 44 };
  const from0 = (room) => (_, __, most) => [0, Math.max(most, 1e-3) * room];
  const line = { spanGaps: true, points: { show: false } };
  const [blue, amber] = [colour("--blue"), colour("--amber")];
  return {
    ...size,
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: false, range: (_, __, most) => [0, most] }, A: { range: from0(1.08) }, W: { range: from0(1.18) } },
    axes: [
      { ...axis, label: box.dataset.voltage },
      { ...axis, scale: "A", label: box.dataset.current },
      { ...axis, scale: "W", side: 1, size: 52, grid: { show: false }, label: box.dataset.power, stroke: amber },
    ],
    series: [
      {},
      { scale: "A", stroke: blue, paths: () => null, points: { show: true, size: 5, fill: blue } },
      { ...line, scale: "A", stroke: blue, width: 1.5 },
      { ...line, scale: "W", stroke: amber, width: 2.5 },
    ],
    hooks: { draw: [markMaximum(box)] },
  };
}

async function drawChart(box) {
  if (box.dataset.drawn) return;
  box.dataset.drawn = "1";
  const response = await fetch(box.dataset.curve).catch(() => null);
  if (!response?.ok || !box.isConnected) return;
  const size = () => ({ width: box.clientWidth, height: box.clientHeight });
  const chart = new uPlot(options(box, size()), rowsOf(await response.json()), box);
  new ResizeObserver(() => { if (box.clientWidth) chart.setSize(size()); }).observe(box);
}

function drawCharts(root) {
  $$("[data-curve]", root).forEach(drawChart);
}
