// The Dataset page: pairs side by side, how they scored, and what other thresholds would keep.

import {get, words} from './api.js';
import {count, field, fixed, h, options, pages, settled} from './dom.js';
import {Histogram} from './histogram.js';

const PAGE = 24;
const THRESHOLDS = {
  clip_threshold: {label: 'Image and caption, at least', low: -0.1, high: 0.5},
  clip_dir_threshold: {label: 'Direction, at least', low: -0.2, high: 0.6},
  clip_img_threshold: {label: 'Before and after alike, at least', low: 0, high: 1},
};
const SCORES = {
  sim_0: ['Before and its caption', 'sim_0', 'clip_threshold'],
  sim_1: ['After and its caption', 'sim_1', 'clip_threshold'],
  sim_dir: ['Direction', 'sim_dir: the images change as the captions do', 'clip_dir_threshold'],
  sim_image: ['Before and after', 'sim_image: how alike they are', 'clip_img_threshold'],
};

const percent = (part, all) => (all > 0 ? `${((100 * part) / all).toFixed(1)} %` : '–');

export class DatasetPage {
  constructor(section) {
    this.offset = 0;
    this.name = h('select', {onchange: () => this.choose()});
    this.order = h('select', {onchange: () => { this.offset = 0; this.loadPairs(); }},
      h('option', {value: 'dataset'}, 'as in the dataset'), h('option', {value: 'best'}, 'best direction first'),
      h('option', {value: 'worst'}, 'worst direction first'));
    this.state = h('p', {class: 'small muted', role: 'status'});
    this.fault = h('p', {class: 'fault', role: 'alert'});
    this.facts = h('div', {class: 'tiles'});
    this.most = h('input', {type: 'number', min: 1, max: 1000, step: 1, value: 4, oninput: settled(() => this.loadScores())});
    this.sliders = Object.fromEntries(Object.keys(THRESHOLDS).map((key) => [key, this.#slider(key)]));
    this.histograms = Object.fromEntries(Object.entries(SCORES).map(([key, [title, about, threshold]]) =>
      [key, new Histogram(title, about, this.sliders[threshold].input)]));
    this.grid = h('ol', {class: 'pairs'});
    this.pageLine = h('span', {class: 'small muted number'});
    this.previous = h('button', {type: 'button', onclick: () => this.turn(-PAGE)}, 'Previous');
    this.next = h('button', {type: 'button', onclick: () => this.turn(PAGE)}, 'Next');
    section.append(
      h('div', {class: 'head'}, h('h1', {id: 'title-dataset'}, 'Dataset'), this.state, field('Dataset', this.name)),
      this.fault, this.facts,
      h('div', {class: 'card stack'},
        h('div', {class: 'head'}, h('h2', {}, 'What other thresholds would keep'),
          h('button', {type: 'button', class: 'little', onclick: () => this.reset()}, 'Back to the dataset\'s own')),
        h('div', {class: 'quarters'}, Object.values(this.sliders).map((slider) => slider.element),
          field('Most pairs a prompt', this.most))),
      h('div', {class: 'quarters'}, Object.values(this.histograms).map((histogram) => histogram.element)),
      h('div', {class: 'head'}, h('h2', {}, 'Pairs'),
        h('div', {class: 'row end'}, field('Order', this.order))),
      this.grid, h('div', {class: 'row spread'}, this.previous, this.pageLine, this.next));
  }

  #slider(key) {
    const {label, low, high} = THRESHOLDS[key];
    const shown = h('output', {class: 'number'});
    const changed = settled(() => { this.offset = 0; this.loadScores(); this.loadPairs(); });
    const input = h('input', {type: 'range', min: low, max: high, step: 0.005, value: 0,
      oninput: () => { shown.value = Number(input.value).toFixed(3); changed(); }});
    const element = field(label, input);
    element.append(shown);
    return {input, element, set: (value) => { input.value = value; shown.value = Number(value).toFixed(3); }};
  }

  async show() {
    try {
      const {datasets} = await get('/api/v1/datasets');
      const chosen = this.name.value;
      options(this.name, datasets, chosen || datasets[0]);
      if (!chosen && datasets.length > 0) await this.choose();
      if (datasets.length === 0) this.state.textContent = 'There is no dataset yet.';
    } catch (error) {
      this.fault.textContent = words(error);
    }
  }

  hide() {
    clearTimeout(this.again);
  }

  async choose() {
    this.offset = 0;
    this.own = null;
    await this.loadScores(true);
    await this.loadPairs();
  }

  reset() {
    if (!this.own) return;
    for (const [key, slider] of Object.entries(this.sliders)) slider.set(this.own[key]);
    this.most.value = this.own.max_out_samples;
    this.offset = 0;
    this.loadScores();
    this.loadPairs();
  }

  #query() {
    return new URLSearchParams(Object.entries(this.sliders).map(([key, slider]) => [key, slider.input.value]));
  }

  #path(rest, query) {
    return `/api/v1/datasets/${encodeURIComponent(this.name.value)}${rest}?${query}`;
  }

  async loadScores(own = false) {
    const query = own ? new URLSearchParams() : this.#query();
    if (!own && this.most.value) query.set('max_out_samples', this.most.value);
    let data;
    try {
      data = await get(this.#path('', query));
    } catch (error) {
      this.fault.textContent = words(error);
      return;
    }
    this.fault.textContent = '';
    if (own) {
      this.own = data.wanted;
      for (const [key, slider] of Object.entries(this.sliders)) slider.set(data.wanted[key]);
      this.most.value = data.wanted.max_out_samples;
    }
    this.#drawFacts(data);
    for (const [key, [, , threshold]] of Object.entries(SCORES)) {
      const {low, high} = THRESHOLDS[threshold];
      this.histograms[key].draw(data.scores[key], low, high);
    }
    // While it is read for the first time, the figures grow; where it is kept may come back.
    clearTimeout(this.again);
    if (data.reading || data.fault) this.again = setTimeout(() => this.loadScores(), data.reading ? 1500 : 6000);
  }

  #drawFacts(data) {
    this.state.textContent = data.reading
      ? `Reading: ${count(data.prompts)} of ${count(data.prompts_total)} prompts` : '';
    if (data.truncated) this.state.textContent += ' Too large: the figures are of its first part.';
    if (data.fault) this.state.textContent += ` What was read before is shown: ${data.fault}`;
    const tile = (value, name) => h('div', {class: 'tile'}, h('b', {class: 'number'}, value), h('span', {}, name));
    this.facts.replaceChildren(
      tile(count(data.prompts), 'prompts'),
      tile(count(data.pairs), 'pairs kept now'),
      tile(count(data.samples), 'samples with scores'),
      tile(`${count(data.passed)}, ${percent(data.passed, data.samples)}`, 'samples over these thresholds'),
      tile(count(data.would_keep.pairs), 'pairs these thresholds would keep'),
      tile(count(data.would_keep.prompts_with_pairs), 'prompts that would have one'));
  }

  async loadPairs() {
    const query = this.#query();
    // All sliders at the dataset's own place: show it whole, unscored pairs too.
    if (this.own && Object.entries(this.sliders).every(([key, { input }]) => Math.abs(input.value - this.own[key]) < 0.003)) {
      for (const key of Object.keys(this.sliders)) query.delete(key);
    }
    query.set('offset', this.offset);
    query.set('limit', PAGE);
    query.set('order', this.order.value);
    try {
      const data = await get(this.#path('/pairs', query));
      this.grid.replaceChildren(...data.items.map((pair) => this.#card(pair)));
      this.pageLine.textContent = pages(data.matching, this.offset, PAGE);
      this.previous.disabled = this.offset === 0;
      this.next.disabled = this.offset + PAGE >= data.matching;
    } catch (error) {
      this.fault.textContent = words(error);
    }
  }

  turn(by) {
    this.offset = Math.max(0, this.offset + by);
    this.loadPairs();
  }

  #card(pair) {
    const {scores} = pair;
    const picture = (src, alt) => h('img', {src, alt, loading: 'lazy', width: 256, height: 256});
    return h('li', {class: 'card stack'},
      h('div', {class: 'two'}, picture(pair.before, `Before: ${pair.caption || 'no caption'}`),
        picture(pair.after, `After: ${pair.output || pair.edit}`)),
      h('p', {class: 'words'}, pair.edit || '(no instruction)'),
      pair.caption ? h('p', {class: 'small muted'}, `${pair.caption} → ${pair.output}`) : null,
      h('p', {class: 'small muted number'}, scores
        ? `direction ${fixed(scores.sim_dir, 3)}, alike ${fixed(scores.sim_image, 3)}, captions ${fixed(scores.sim_0, 3)} and ${fixed(scores.sim_1, 3)}`
        : 'no scores'),
      h('p', {class: 'small muted number'}, `${pair.folder} / ${pair.seed}`));
  }
}
