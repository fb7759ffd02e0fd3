// SPDX-License-Identifier: Apache-2.0
// The time line of a drive: where each frame was taken for which place, and how sure.
'use strict';
(() => {
  const given = vpr.data('drive'), where = document.getElementById('plan');
  const chart = document.getElementById('belief'), slider = document.getElementById('moment');
  const numbers = name => vpr.numbers(given[name], Float64Array);
  const x = numbers('x'), y = numbers('y'), seconds = numbers('seconds');
  const placeX = numbers('placeX'), placeY = numbers('placeY'), ids = numbers('ids');
  const frames = new Pictures(given.frames), places = new Pictures(given.places);
  const drives = given.drives.map(drive => ({...drive,
    state: vpr.numbers(drive.state, Int8Array), right: vpr.numbers(drive.right, Int8Array),
    belief: vpr.numbers(drive.belief), off: vpr.numbers(drive.off),
    score: vpr.numbers(drive.score), bits: vpr.numbers(drive.bits, Int32Array),
    match: vpr.numbers(drive.match, Int32Array)}));
  // Colour and form both tell the three kinds apart.
  const KINDS = [
    {name: 'accepted, right', symbol: 'circle', color: '--sure', size: 8},
    {name: 'accepted, wrong', symbol: 'x', color: '--wrong', size: 13},
    {name: 'doubted', symbol: 'diamond-open', color: '--doubt', size: 9}];
  let drive = drives[0], moment = drive.worst[0] ?? 0;

  const clock = i => `${seconds[i].toFixed(1)} s`;
  const sure = () => (drive.required === null ? 'confidence' : 'belief');

  function marks(horizontal, vertical, kind) {
    return [0, 2, 1].map(state => {
      const at = [...drive.state.keys()].filter(i => drive.state[i] === state);
      return {x: at.map(i => horizontal[i]), y: at.map(i => vertical[i]), customdata: at,
              type: kind, mode: 'markers', name: KINDS[state].name, hoverinfo: 'none',
              marker: {symbol: KINDS[state].symbol, color: KINDS[state].color,
                       size: KINDS[state].size,
                       line: {width: state === 2 ? 2 : 0, color: KINDS[state].color}}};
    });
  }

  function drawPlan() {
    const [best, other] = [drive.match[2 * moment], drive.match[2 * moment + 1]];
    const link = (row, colour, dash) => ({
      x: row < 0 ? [] : [x[moment], placeX[row]], y: row < 0 ? [] : [y[moment], placeY[row]],
      type: 'scatter', mode: 'lines', hoverinfo: 'skip', showlegend: false,
      line: {color: colour, width: 2.5, dash}});
    vpr.plot(where, [
      {x: [...placeX], y: [...placeY], type: plan.kind(ids.length), mode: 'markers',
       name: 'places', hoverinfo: 'skip', marker: {color: '--faint', size: 4}},
      ...marks(x, y, plan.kind(x.length)),
      link(best, '--ink', 'solid'), link(other, '--query', 'dot'),
      {x: [x[moment]], y: [y[moment]], type: 'scatter', mode: 'markers', hoverinfo: 'skip',
       showlegend: false, marker: {symbol: 'circle-open', size: 22, color: '--ink',
                                   line: {width: 2.5}}},
    ], plan.layout({showlegend: true, margin: {l: 46, r: 8, t: 30, b: 40}}));
  }

  function drawBelief() {
    const bound = drive.required === null ? [] : [{
      type: 'line', xref: 'paper', x0: 0, x1: 1, y0: drive.required, y1: drive.required,
      line: {color: '--quiet', width: 1.5, dash: 'dash'}}];
    vpr.plot(chart, [
      {x: [...seconds], y: [...drive.belief], type: plan.kind(x.length), mode: 'lines',
       hoverinfo: 'skip', line: {color: '--faint', width: 1}, showlegend: false},
      ...marks(seconds, drive.belief, plan.kind(x.length)),
    ], {dragmode: false, showlegend: false, xaxis: {title: {text: 'time [s]'}},
        yaxis: {title: {text: sure()}, range: [-0.03, 1.06]},
        shapes: [...bound, {type: 'line', yref: 'paper', y0: 0, y1: 1, x0: seconds[moment],
                            x1: seconds[moment], line: {color: '--ink', width: 2}}]},
    {scrollZoom: false, displayModeBar: false});
    document.getElementById('believed').textContent = drive.required === null
      ? 'How sure the localizer was of each frame, 0 … 1.'
      : `The probability that the robot is near the pose; above the dashed line, ${
        (100 * drive.required).toFixed(1)} %, it is accepted.`;
  }

  function figure(picture, caption) {
    return vpr.element('figure', {}, picture, vpr.element('figcaption', {textContent: caption}));
  }

  function tell(i) {
    const [best, other] = [drive.match[2 * i], drive.match[2 * i + 1]];
    const away = row => plan.metres(Math.hypot(placeX[row] - x[i], placeY[row] - y[i]));
    const shown = [figure(frames.element(i), `the frame at ${clock(i)}`)];
    if (best >= 0) {
      const score = Number.isNaN(drive.score[i]) ? '' : `, score ${drive.score[i].toFixed(2)}`;
      shown.push(figure(places.element(best), `match: place ${ids[best]}, ${away(best)} from `
        + `the truth${score}, ${drive.bits[i]} bits`));
    }
    if (other >= 0) {
      shown.push(figure(places.element(other),
                        `runner-up: place ${ids[other]}, ${away(other)} from the truth`));
    }
    return shown;
  }

  function said(i) {
    const what = drive.state[i] === 0 ? 'accepted, and right'
      : drive.state[i] === 1 ? 'accepted, but wrong'
      : drive.right[i] ? 'doubted, though right' : 'doubted, and wrong';
    const off = Number.isNaN(drive.off[i]) ? '' : `, the pose ${plan.metres(drive.off[i])} off`;
    return {title: `${clock(i)}: ${what}`,
            text: `${sure()} ${(100 * drive.belief[i]).toFixed(1)} %${off}. `
              + (drive.reason[i] ? `Reason of doubt: ${drive.reason[i]}.` : '')};
  }

  function choose(i) {
    moment = i;
    slider.value = i;
    const panel = document.getElementById('panel'), {title, text} = said(i);
    panel.replaceChildren(
      vpr.element('h3', {textContent: title}),
      vpr.element('div', {className: 'pair'}, ...tell(i)),
      vpr.element('p', {className: 'quiet', textContent: text}));
    panel.dataset.moment = i;
    drawPlan();
    drawBelief();
  }

  function mistakes() {
    const cards = drive.worst.slice(0, 6).map(i => {
      const button = vpr.element('button', {type: 'button', textContent: 'show on the plan'});
      button.addEventListener('click', () => {
        choose(i);
        where.scrollIntoView({block: 'nearest', behavior: 'smooth'});
      });
      return vpr.element('div', {className: 'card'},
        vpr.element('p', {textContent: `${said(i).title}. ${said(i).text}`}),
        vpr.element('div', {className: 'pair'}, ...tell(i)), button);
    });
    const title = cards.length ? 'Surest mistakes' : 'No frame was accepted at a wrong place';
    document.getElementById('mistakes').replaceChildren(
      vpr.element('h3', {textContent: title}), vpr.element('div', {className: 'cards'}, ...cards));
    for (const name of ['before', 'next']) {
      document.getElementById(name).disabled = !drive.state.includes(1);
    }
  }

  function step(way) {
    for (let k = 1; k <= x.length; k++) {
      const i = (moment + way * k + x.length * 2) % x.length;
      if (drive.state[i] === 1) return choose(i);
    }
  }

  slider.max = x.length - 1;
  slider.addEventListener('input', () => choose(Number(slider.value)));
  document.getElementById('localizer').addEventListener('change', event => {
    drive = drives[event.target.value];
    mistakes();
    choose(moment);
  });
  document.getElementById('before').addEventListener('click', () => step(-1));
  document.getElementById('next').addEventListener('click', () => step(1));

  mistakes();
  vpr.themed(() => choose(moment));
  for (const drawn of [where, chart]) {
    drawn.on('plotly_click', event => {
      const point = event.points.find(p => p.customdata !== undefined);
      if (point) choose(point.customdata);
    });
    drawn.on('plotly_hover', event => {
      const point = event.points.find(p => p.customdata !== undefined);
      if (!point) return;
      peek.show(event.event, frames.element(point.customdata), said(point.customdata).title);
    });
    drawn.on('plotly_unhover', peek.hide);
  }
})();
