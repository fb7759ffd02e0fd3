// SPDX-License-Identifier: Apache-2.0
// The live view: what the server tells, put into the page as text and as figures.
'use strict';
const live = {
  now: null, plan: null, plans: 0, pictures: 0, failed: 0, past: [], due: false, waits: false,
  words: {localized: 'Localized', searching: 'Searching', 'unknown place': 'Unknown place',
          'no images': 'No images'},
  at: name => document.getElementById(name),
  known: value => value !== null && value !== undefined,

  say(name, figure, text) {
    const tile = live.at(name);
    tile.querySelector('b').textContent = figure;
    if (text !== undefined) tile.querySelector('span').textContent = text;
  },

  tell(now) {
    live.now = now;
    live.at('now').dataset.state = now.state;
    live.at('state').textContent = live.words[now.state] || now.state;
    const pose = now.state === 'localized' && now.pose, degrees = pose && Math.round(pose[2] * 180 / Math.PI);
    const where = pose ? ` · x ${pose[0].toFixed(1)} m, y ${pose[1].toFixed(1)} m, heading ${degrees}°` : '';
    live.at('detail').textContent = (now.detail || '') + where;
    const late = live.known(now.age) && now.age > 3 ? ` · last frame ${now.age.toFixed(0)} s ago` : '';
    live.at('source').textContent = (now.source || '') + late;
    live.say('confidence', live.known(now.confidence) ? `${(100 * now.confidence).toFixed(1)} %` : '–');
    live.say('place', live.known(now.place) ? String(now.place) : '–',
             live.known(now.distance) ? `best place, ${now.distance} bits off` : 'best place');
    live.say('latency', live.known(now.latency_ms) ? `${now.latency_ms.toFixed(0)} ms` : '–');
    const of = now.progress ? ` of ${now.progress[1]}` : '';
    live.say('frames', `${now.progress ? now.progress[0] : now.frames}${of}`,
             now.progress ? 'frames of the bag' : 'frames answered');
    live.past = live.past.concat(now.past).slice(-600);
    if (now.plan !== live.plans) live.fetchPlan(now.plan);
    live.look();
    live.draw();
  },

  async fetchPlan(version) {
    live.plans = version;
    try {
      live.plan = await (await fetch('plan')).json();
    } catch {
      live.plans = 0;  // the next news ask again
      return;
    }
    live.draw();
  },

  // One picture at a time: a slow line is not asked for the next before it has shown this one.
  look() {
    if (live.waits || !live.now || live.pictures === live.now.picture) return;
    const picture = live.at('picture'), wanted = live.now.picture;
    live.waits = true;
    picture.onload = picture.onerror = event => {
      if (event.type === 'error' && live.failed !== wanted) {  // the line, perhaps: once more
        live.failed = wanted;
        setTimeout(() => { live.waits = false; live.look(); }, 2000);
        return;
      }
      live.waits = false;
      live.pictures = wanted;
      picture.hidden = !picture.naturalWidth;
      live.at('nothing').hidden = !picture.hidden;
      live.look();
    };
    picture.src = `picture.jpg?n=${wanted}`;
  },

  // Figures are drawn four times a second at most, and not while nobody sees them.
  draw() {
    if (live.due || !live.now) return;
    live.due = true;
    setTimeout(() => requestAnimationFrame(() => {
      live.due = false;
      live.drawPlan();
      live.drawPast();
    }), 250);
  },

  // Okabe and Ito's blue and orange, and cividis between them and the page.
  dark: () => matchMedia('(prefers-color-scheme: dark)').matches,

  ellipse([x, y], [xx, xy, yy]) {
    const mean = (xx + yy) / 2, half = Math.hypot((xx - yy) / 2, xy);
    const long = Math.sqrt(5.991 * (mean + half)), short = Math.sqrt(5.991 * Math.max(mean - half, 0));
    const turn = Math.atan2(2 * xy, xx - yy) / 2, px = [], py = [];
    for (let i = 0; i <= 48; i++) {
      const a = i * Math.PI / 24, u = long * Math.cos(a), v = short * Math.sin(a);
      px.push(x + u * Math.cos(turn) - v * Math.sin(turn));
      py.push(y + u * Math.sin(turn) + v * Math.cos(turn));
    }
    return {x: px, y: py};
  },

  // The arrow's tip is the pose. A name of a traverse may hold what plotly reads as markup: they are numbered instead.
  drawPlan() {
    // The surest come last, and lie on top.
    const {now, plan} = live, belief = (now.belief || []).slice().reverse(), traces = [];
    const narrow = innerWidth < 600;
    (plan && plan.traverses || []).forEach(({x, y}, i) => traces.push({
      x, y, mode: 'lines', name: 'mapped way', legendgroup: 'way', showlegend: i === 0,
      line: {color: '--faint', width: 2}, hoverinfo: 'skip'}));
    const shares = belief.map(row => row[2]), scale = {
      cmin: -3, cmax: 0, colorscale: 'Cividis', reversescale: !live.dark(), showscale: true,
      colorbar: {title: {text: 'belief', side: 'top', font: {size: 13}}, tickvals: [-3, -2, -1, 0],
                 ticktext: ['0.1 %', '1 %', '10 %', '100 %'], thickness: 10, len: .5, y: .75,
                 x: 1, xpad: 4, outlinewidth: 0}};
    traces.push({
      x: belief.map(row => row[0]), y: belief.map(row => row[1]), mode: 'markers', name: 'belief',
      marker: {size: shares.map(share => 7 + 19 * Math.sqrt(share)), opacity: .85,
               color: shares.map(share => Math.log10(Math.max(share, 1e-3))), line: {width: 0},
               ...scale},
      text: shares.map(share => `${(100 * share).toFixed(1)} % of the belief`),
      hovertemplate: '%{text}<br>%{x:.1f} m, %{y:.1f} m<extra></extra>'});
    const guesses = now.state === 'searching' || now.state === 'unknown place';
    const doubted = (guesses && now.candidates || []).slice(0, 1);
    traces.push({
      x: doubted.map(p => p[0]), y: doubted.map(p => p[1]), mode: 'markers', name: 'best guess',
      marker: {symbol: 'x-thin', size: 15, color: '--ink', line: {color: '--ink', width: 3}},
      hovertemplate: 'best guess<extra></extra>', showlegend: true});
    const pose = now.state === 'localized' ? now.pose : null;
    const around = pose && now.ellipse ? live.ellipse(pose, now.ellipse) : {x: [], y: []};
    traces.push({...around, mode: 'lines', name: '95 % within', fill: 'toself',
                 fillcolor: 'rgba(0,0,0,0)', line: {color: '--sure', width: 1.5, dash: 'dot'},
                 hoverinfo: 'skip'});
    traces.push({
      x: pose ? [pose[0]] : [], y: pose ? [pose[1]] : [], mode: 'markers', name: 'accepted pose',
      marker: {symbol: 'arrow', size: 20, color: '--sure', angle: pose ? 90 - pose[2] * 180 / Math.PI : 0,
               line: {color: '--page', width: 1.5}},
      hovertemplate: '%{x:.2f} m, %{y:.2f} m<extra>accepted pose</extra>', showlegend: true});
    const axis = {ticksuffix: ' m', zeroline: false, nticks: narrow ? 4 : 7, tickangle: 0};
    vpr.plot('plan', traces, {
      margin: {l: 52, r: 8, t: 8, b: 34}, uirevision: 'plan',
      legend: {orientation: 'h', y: 1.01, yanchor: 'bottom', x: 0},
      xaxis: axis, yaxis: {...axis, scaleanchor: 'x'}},
    {displayModeBar: false});
  },

  drawPast() {
    const rows = live.past, last = rows.length ? rows[rows.length - 1][0] : 0;
    const part = (state, name, colour, symbol) => {
      const mine = rows.filter(row => state(row[1]));
      return {x: mine.map(row => row[0]), y: mine.map(row => 100 * (row[2] ?? 0)), mode: 'markers', name,
              marker: {color: colour, symbol, size: 5}, hovertemplate: 'frame %{x}: %{y:.1f} %<extra></extra>'};
    };
    vpr.plot('past', [
      part(state => state === 'localized', 'accepted', '--sure', 'circle'),
      part(state => state === 'searching', 'doubted', '--doubt', 'x'),
      part(state => state === 'unknown place', 'unknown place', '--wrong', 'diamond')],
    {margin: {l: 56, r: 8, t: 4, b: 38}, dragmode: false, showlegend: true,
     legend: {orientation: 'h', y: 1.02, yanchor: 'bottom', x: 0},
     xaxis: {title: {text: 'frame', font: {size: 13}}, range: [Math.max(0, last - 600), Math.max(last, 60)], fixedrange: true},
     yaxis: {title: {text: 'confidence', font: {size: 13}}, ticksuffix: ' %', range: [-4, 104], nticks: 3, fixedrange: true}},
    {displayModeBar: false, scrollZoom: false});
  },

  lost() {
    live.at('now').dataset.state = 'none';
    live.at('state').textContent = 'Connection lost';
    live.at('detail').textContent = "The view's server does not answer, or shows as many pages as it can: is 'watch' still running? "
      + 'It is asked again and again.';
  },

  listen() {
    const stream = new EventSource('events');
    stream.onmessage = event => live.tell(JSON.parse(event.data));
    stream.onerror = () => {
      // A server that was started again counts its frames from the beginning.
      live.past = [];
      live.pictures = live.plans = 0;
      live.lost();
      // A stream that was refused is not asked for again by the browser.
      if (stream.readyState === EventSource.CLOSED) setTimeout(live.listen, 2000);
    };
  },
};

live.listen();
vpr.themed(() => live.draw());
