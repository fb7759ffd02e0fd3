// SPDX-License-Identifier: Apache-2.0
// What all pages share. Text from maps and bags enters the page by textContent alone.
'use strict';
const vpr = {
  data(name) {
    const block = document.getElementById('data-' + name);
    return block && JSON.parse(block.textContent);
  },

  // Numbers travel as little-endian base64: half the size of digits, and no rounding.
  numbers(text, Kind = Float32Array) {
    return new Kind(Uint8Array.from(atob(text), c => c.charCodeAt(0)).buffer);
  },

  colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  },

  element(tag, settings = {}, ...children) {
    const made = Object.assign(document.createElement(tag), settings);
    made.append(...children);
    return made;
  },

  // Replace '--name' by that colour of the style, however deep.
  coloured(value) {
    if (typeof value === 'string') return value.startsWith('--') ? vpr.colour(value) : value;
    if (Array.isArray(value)) return value.map(vpr.coloured);
    if (value && value.constructor === Object) {
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, vpr.coloured(v)]));
    }
    return value;
  },

  layout(given) {
    const axis = {
      gridcolor: '--line', zerolinecolor: '--line', linecolor: '--line', automargin: true,
      title: {standoff: 8}};
    const made = {
      paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)',
      font: {color: '--ink', size: 13, family: 'system-ui, sans-serif'},
      margin: {l: 48, r: 12, t: 12, b: 40}, hovermode: 'closest', dragmode: 'pan',
      legend: {orientation: 'h', y: 1.02, yanchor: 'bottom', x: 0},
      hoverlabel: {bgcolor: '--card', bordercolor: '--line', font: {color: '--ink'}}, ...given};
    for (const name of ['xaxis', 'yaxis', ...Object.keys(given).filter(k => /^[xy]axis\d/.test(k))]) {
      made[name] = {...axis, ...made[name], title: {...axis.title, ...(made[name] || {}).title}};
    }
    return made;
  },

  // Draw now, and again when the reader changes between dark and light.
  themed(draw) {
    draw();
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  },

  plot(where, traces, layout, settings = {}) {
    return Plotly.react(where, vpr.coloured(traces), vpr.coloured(vpr.layout(layout)), {
      displaylogo: false, responsive: true, scrollZoom: true,
      displayModeBar: innerWidth < 700 ? false : 'hover',  // it would lie on a phone's plan
      modeBarButtonsToRemove: ['select2d', 'lasso2d', 'toImage', 'autoScale2d'], ...settings});
  },
};

document.addEventListener('DOMContentLoaded', () => {
  for (const where of document.querySelectorAll('[data-chart]')) {
    const {traces, layout} = vpr.data(where.dataset.chart);
    // A finger that scrolls the page must not be caught by a figure.
    vpr.themed(() => vpr.plot(where, traces, {dragmode: false, ...layout},
                              {scrollZoom: false, displayModeBar: false}));
  }
});
