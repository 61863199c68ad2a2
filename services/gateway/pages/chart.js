// A line over steps: the loss, smoothed and as it is, with validation points. Where it falls far, by its logarithm:
// fresh weights begin at hundreds, and what matters comes after.

import {brief, s} from './dom.js';

const WIDTH = 720;
const HEIGHT = 240;
const LEFT = 64;
const BOTTOM = 26;
const LOG_FROM = 20;  // times that the largest is the smallest

export class LossChart {
  constructor() {
    this.points = [];
    this.validations = [];
    this.element = s('svg', {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', class: 'chart',
      'aria-label': 'Loss: no steps yet'});
  }

  set(points) {
    this.points = points;
    this.draw();
  }

  // A step that was just made; older ones are known already.
  push(point) {
    if (this.points.length > 0 && point.step <= this.points[this.points.length - 1].step) return;
    this.points.push(point);
    if (this.points.length > 2000) this.points = this.points.filter((_, i) => i % 2 === 1);
    this.draw();
  }

  mark(step, loss) {
    if (!this.validations.some((known) => known.step === step)) this.validations.push({step, loss});
  }

  clear() {
    this.validations = [];
    this.set([]);
  }

  draw() {
    const points = this.points.filter((point) => Number.isFinite(point.loss));
    if (points.length < 2) {
      this.element.replaceChildren(s('text', {x: WIDTH / 2, y: HEIGHT / 2, 'text-anchor': 'middle', class: 'tick'},
        'the loss appears here'));
      return;
    }
    const smooth = smoothed(points);
    const losses = [...points, ...this.validations].map((point) => point.loss);
    let [low, high] = [Math.min(...losses), Math.max(...losses)];
    if (high - low < 1e-9) [low, high] = [low - 0.5, high + 0.5];
    const [first, last] = [points[0].step, points[points.length - 1].step];
    const x = (step) => LEFT + ((step - first) / Math.max(1, last - first)) * (WIDTH - LEFT - 12);
    const [scale, back] = low > 0 && high > LOG_FROM * low ? [Math.log, Math.exp] : [(value) => value, (value) => value];
    const share = (loss) => (scale(loss) - scale(low)) / (scale(high) - scale(low));
    const y = (loss) => 10 + (1 - share(loss)) * (HEIGHT - 10 - BOTTOM);
    const path = (list) => list.map((point, i) => `${i ? 'L' : 'M'}${x(point.step).toFixed(1)} ${y(point.loss).toFixed(1)}`).join('');
    const rows = [0, 0.25, 0.5, 0.75, 1].map((part) => back(scale(low) + (scale(high) - scale(low)) * part));
    this.element.replaceChildren(
      ...rows.map((loss) => s('line', {class: 'rule', x1: LEFT, x2: WIDTH - 12, y1: y(loss), y2: y(loss)})),
      ...rows.map((loss) => s('text', {class: 'tick', x: LEFT - 8, y: y(loss) + 4, 'text-anchor': 'end'}, Number(loss.toPrecision(3)).toString())),
      s('text', {class: 'tick', x: LEFT, y: HEIGHT - 6}, `step ${first}`),
      s('text', {class: 'tick', x: WIDTH - 12, y: HEIGHT - 6, 'text-anchor': 'end'}, `step ${last}`),
      s('path', {class: 'raw', d: path(points)}), s('path', {class: 'smooth', d: path(smooth)}),
      ...this.validations.filter((v) => v.step >= first && v.step <= last).map((v) =>
        s('circle', {class: 'point', cx: x(v.step), cy: y(v.loss), r: 4}, s('title', {}, `validation at ${v.step}: ${brief(v.loss)}`))));
    this.element.setAttribute('aria-label', `Loss over steps ${first} to ${last}: last ${brief(points[points.length - 1].loss)}, ` +
      `smoothed ${brief(smooth[smooth.length - 1].loss)}`);
  }
}

// An exponential mean whose weight follows the number of points.
function smoothed(points) {
  const keep = 1 - 1 / Math.min(40, Math.max(2, points.length / 10));
  let mean = 0;
  let weight = 0;
  return points.map(({step, loss}) => {
    mean = keep * mean + (1 - keep) * loss;
    weight = keep * weight + (1 - keep);
    return {step, loss: mean / weight};
  });
}
