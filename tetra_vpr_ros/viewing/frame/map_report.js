// SPDX-License-Identifier: Apache-2.0
// The plan of a map: places by how sure one frame would be, and what they look like.
'use strict';
(() => {
  const given = vpr.data('map'), where = document.getElementById('plan');
  const x = vpr.numbers(given.x, Float64Array), y = vpr.numbers(given.y, Float64Array);
  const yaw = vpr.numbers(given.yaw), session = vpr.numbers(given.session, Int32Array);
  const ids = vpr.numbers(given.ids, Float64Array);
  const asked = vpr.numbers(given.asked, Int32Array), sure = vpr.numbers(given.sure);
  const alike = vpr.numbers(given.alike, Int32Array), bits = vpr.numbers(given.bits, Int32Array);
  const scores = vpr.numbers(given.scores), turned = vpr.numbers(given.turned);
  const kept = given.kept, pictures = new Pictures(given.pictures);
  const hidden = new Set();
  let chosen = given.first, marked = null;

  const place = row => `place ${ids[row]}`;
  const apart = (a, b) => Math.hypot(x[a] - x[b], y[a] - y[b]);
  const picture = row => pictures.element(row, other => session[other] === session[row]);
  const shown = row => !hidden.has(session[row]);
  const lookAlikes = at => [...alike.slice(at * kept, (at + 1) * kept)]
    .map((row, k) => ({row, at: at * kept + k})).filter(other => other.row >= 0);

  // Traverses are lines with breaks between them, and where places are missing.
  function ways() {
    const line = {x: [], y: []};
    for (let row = 0; row < x.length; row++) {
      const broken = row && (session[row] !== session[row - 1] || apart(row, row - 1) > given.gap);
      if (broken || !shown(row)) { line.x.push(null); line.y.push(null); }
      if (shown(row)) { line.x.push(x[row]); line.y.push(y[row]); }
    }
    return line;
  }

  function traces() {
    const at = [...asked.keys()].filter(i => shown(asked[i]));
    const kind = plan.kind(at.length);
    const own = asked[chosen], others = lookAlikes(chosen).map(other => other.row);
    const links = others.flatMap(row => [[x[own], y[own]], [x[row], y[row]], [null, null]]);
    return [
      {...ways(), type: plan.kind(x.length), mode: 'lines', hoverinfo: 'skip',
       line: {color: '--faint', width: 1}},
      {x: marked ? marked.map(row => x[row]) : [], y: marked ? marked.map(row => y[row]) : [],
       type: 'scatter', mode: 'lines', hoverinfo: 'skip',
       line: {color: '--query', width: 14}, opacity: 0.6},
      {x: at.map(i => x[asked[i]]), y: at.map(i => y[asked[i]]), customdata: at, type: kind,
       mode: 'markers', hoverinfo: 'none', marker: {
         symbol: 'arrow', angle: at.map(i => 90 - yaw[asked[i]] * 180 / Math.PI),
         size: given.size, color: at.map(i => sure[i]), cmin: 0, cmax: 1,
         colorscale: [[0, '--wrong'], [0.5, '--doubt'], [0.9, '--faint'], [1, '--sure']],
         line: {width: 0}}},
      {x: links.map(p => p[0]), y: links.map(p => p[1]), type: 'scatter', mode: 'lines',
       hoverinfo: 'skip', line: {color: '--ink', width: 1.5, dash: 'dot'}},
      {x: [own, ...others].map(row => x[row]), y: [own, ...others].map(row => y[row]),
       type: 'scatter', mode: 'markers', hoverinfo: 'skip', marker: {
         symbol: ['circle-open', ...others.map(() => 'square-open')], size: 20,
         color: '--ink', line: {width: 2.5}}},
    ];
  }

  function draw() {
    plan.drawn = vpr.plot(where, traces(), plan.layout({}));
    return plan.drawn;
  }

  function choose(at) {
    chosen = at;
    const own = asked[at], panel = document.getElementById('panel');
    const how = sure[at] >= given.enough ? 'one frame tells it from all others'
      : sure[at] < 0.5 ? 'one frame would rather be taken for another place'
      : 'one frame leaves a doubt';
    const cards = lookAlikes(at).map(({row, at: k}) => vpr.element('figure', {},
      picture(row), vpr.element('figcaption', {textContent:
        `${place(row)}, ${plan.metres(apart(own, row))} away, turned ${turned[k].toFixed(0)}°: `
        + (given.tokens ? `score ${scores[k].toFixed(2)}` : `${bits[k]} bits`)})));
    panel.replaceChildren(
      vpr.element('h3', {textContent: `${place(own)}: ${how}`}),
      vpr.element('p', {className: 'quiet', textContent:
        `${plan.percent(sure[at])} sure. Traverse ${session[own]}, x ${x[own].toFixed(1)} m, `
        + `y ${y[own].toFixed(1)} m.`}),
      vpr.element('div', {className: 'pair'}, vpr.element('figure', {}, picture(own),
        vpr.element('figcaption', {textContent: `${place(own)} itself`})), ...cards),
      vpr.element('p', {className: 'quiet', textContent: cards.length
        ? `These are other places. ${given.usual}` : 'No other place of the map is known.'}));
    panel.dataset.place = ids[own];
    draw();
  }

  for (const entry of given.sessions) {
    const box = vpr.element('input', {type: 'checkbox', checked: true});
    box.addEventListener('change', () => {
      if (box.checked) hidden.delete(entry.number); else hidden.add(entry.number);
      draw();
    });
    document.getElementById('sessions').append(vpr.element('label', {}, box,
      ` ${entry.number}: ${entry.name}`));
  }
  for (const button of document.querySelectorAll('[data-show]')) {
    button.addEventListener('click', () => {
      const rows = JSON.parse(button.dataset.show), at = asked.indexOf(rows[0]);
      const along = rows.length === 2 && button.dataset.way;
      marked = along ? Array.from({length: rows[1] - rows[0] + 1}, (_, i) => rows[0] + i) : null;
      if (at >= 0) choose(at); else draw();
      plan.show(where, (marked || rows).map(row => x[row]), (marked || rows).map(row => y[row]));
    });
  }
  document.getElementById('whole').addEventListener('click', () => {
    marked = null;
    draw();
    Plotly.relayout(where, {'xaxis.autorange': true, 'yaxis.autorange': true});
  });

  vpr.themed(draw);
  choose(chosen);
  where.on('plotly_click', event => {
    const point = event.points.find(p => p.customdata !== undefined);
    if (point) choose(point.customdata);
  });
  where.on('plotly_hover', event => {
    const point = event.points.find(p => p.customdata !== undefined);
    if (!point) return;
    const own = asked[point.customdata];
    peek.show(event.event, picture(own), `${place(own)}, ${plan.percent(sure[point.customdata])} sure`);
  });
  where.on('plotly_unhover', peek.hide);
})();
