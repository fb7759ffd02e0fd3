// SPDX-License-Identifier: Apache-2.0
// A plan of a way in metres: what the pages of maps and drives have in common.
'use strict';
const plan = {
  // SVG is crisp and works everywhere, but slow beyond some thousands of marks.
  kind: count => (count > 3000 ? 'scattergl' : 'scatter'),

  layout(kept) {
    return {
      margin: {l: 46, r: 8, t: 8, b: 40}, showlegend: false, uirevision: 'kept',
      xaxis: {title: {text: 'x [m]'}, scaleanchor: 'y', zeroline: false},
      yaxis: {title: {text: 'y [m]'}, zeroline: false}, ...kept};
  },

  // Look at some points, with room around them.
  show(where, x, y) {
    const range = values => {
      const low = Math.min(...values), high = Math.max(...values);
      const room = Math.max(3, 0.3 * (high - low));
      return [low - room, high + room];
    };
    Plotly.relayout(where, {'xaxis.range': range(x), 'yaxis.range': range(y)});
    where.scrollIntoView({block: 'nearest', behavior: 'smooth'});
  },

  // Metres and degrees as people say them.
  metres: value => (value < 10 ? value.toFixed(1) : value.toFixed(0)) + ' m',
  percent: value => (value > 0.99 && value < 1 ? '> 99' : (100 * value).toFixed(0)) + ' %',
};

// The pictures of a page, by number; where one was left out the nearest that is there.
class Pictures {
  constructor(packed) {
    this.packed = packed;
    this.numbers = Object.keys(packed).map(Number).sort((a, b) => a - b);
  }

  // Return {number, src}, or null; only numbers that `same` accepts stand for each other.
  of(number, same = () => true) {
    if (number in this.packed) return this.made(number);
    let low = 0, high = this.numbers.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.numbers[middle] < number) low = middle + 1; else high = middle;
    }
    const near = [this.numbers[low - 1], this.numbers[low]]
      .filter(n => n !== undefined && same(n))
      .sort((a, b) => Math.abs(a - number) - Math.abs(b - number));
    return near.length ? this.made(near[0]) : null;
  }

  made(number) {
    return {number, src: 'data:image/jpeg;base64,' + this.packed[number]};
  }

  // Return an element with the picture, or one that says that there is none.
  element(number, same) {
    const found = this.of(number, same);
    if (!found) return vpr.element('div', {className: 'none', textContent: 'no picture'});
    return vpr.element('img', {src: found.src, alt: '', title: found.number === number
      ? '' : 'the nearest picture that is in this page'});
  }
}

// A picture that follows the pointer.
const peek = {
  show(event, ...content) {
    const box = document.getElementById('peek');
    if (!box || !event || event.clientX === undefined) return;
    box.replaceChildren(...content);
    box.hidden = false;
    const left = event.clientX + 16, top = event.clientY + 16;
    box.style.left = Math.min(left, innerWidth - box.offsetWidth - 8) + 'px';
    box.style.top = Math.max(4, Math.min(top, innerHeight - box.offsetHeight - 8)) + 'px';
  },

  hide() {
    const box = document.getElementById('peek');
    if (box) box.hidden = true;
  },
};
