// One score's distribution: all samples behind, those over the thresholds before them, and the threshold to move.

import {count, h, s} from './dom.js';

const WIDTH = 300;
const HEIGHT = 96;

export class Histogram {
  // `slider` is the range input of the score's threshold, which stands elsewhere.
  constructor(title, about, slider) {
    this.svg = s('svg', {viewBox: `0 0 ${WIDTH} ${HEIGHT + 18}`, role: 'img', 'aria-label': title, class: 'histogram'});
    this.title = title;
    this.slider = slider;
    this.element = h('div', {class: 'card stack'}, h('h3', {}, title), h('p', {class: 'small muted'}, about), this.svg);
  }

  // What lies outside of the shown range is in its outermost bins.
  draw(data, low, high) {
    const first = Math.round((low - data.low) / data.width);
    const last = Math.round((high - data.low) / data.width);
    const sum = (values, from, to) => values.slice(from, to).reduce((a, b) => a + b, 0);
    const shown = (values) => values.slice(first, last).map((value, i) => {
      if (i === 0) return sum(values, 0, first + 1);
      return i === last - first - 1 ? sum(values, last - 1) : value;
    });
    const bins = shown(data.bins);
    const passed = shown(data.passed);
    const most = Math.max(1, ...bins);
    const step = WIDTH / bins.length;
    const bars = (values, name) => values.map((value, i) => s('rect', {class: name, x: i * step + 0.5,
      width: step - 1, y: HEIGHT - (value / most) * HEIGHT, height: (value / most) * HEIGHT}));
    const x = (value) => ((value - low) / (high - low)) * WIDTH;
    const least = x(Number(this.slider.value));
    const ticks = [low, (low + high) / 2, high].map((value, i) => s('text', {class: 'tick', x: x(value), y: HEIGHT + 14,
      'text-anchor': ['start', 'middle', 'end'][i]}, value.toFixed(2)));
    this.svg.replaceChildren(...bars(bins, 'all'), ...bars(passed, 'passed'),
      s('line', {class: 'mark', x1: least, x2: least, y1: 0, y2: HEIGHT}), s('line', {class: 'axis', x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT}), ...ticks);
    const kept = sum(data.passed, 0);
    this.svg.setAttribute('aria-label',
      `${this.title}: ${count(kept)} of ${count(data.count)} samples pass, mean ${data.mean.toFixed(3)}`);
  }
}
