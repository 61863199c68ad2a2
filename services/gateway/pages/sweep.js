// A grid of edits over text and image scales, in one request, all from one seed.

import {ApiError, events, pictureUrl, words} from './api.js';
import {field, h} from './dom.js';

const MOST = 36;

function scales(text) {
  return text.split(/[\s,;]+/).filter(Boolean).map(Number);
}

export class SweepPanel {
  constructor({form, onPick, onMade}) {
    this.form = form;
    this.onPick = onPick;
    this.onMade = onMade;
    this.text = h('input', {type: 'text', value: '3, 5, 7.5, 10', inputmode: 'decimal'});
    this.image = h('input', {type: 'text', value: '1.2, 1.5, 1.8', inputmode: 'decimal'});
    this.runButton = h('button', {type: 'button', class: 'main', onclick: () => this.run()}, 'Make the grid');
    this.cancelButton = h('button', {type: 'button', class: 'danger', disabled: true, onclick: () => this.abort?.abort()},
      'Cancel');
    this.state = h('p', {role: 'status', class: 'small muted'});
    this.fault = h('p', {class: 'fault', role: 'alert'});
    this.grid = h('div', {class: 'scroll'});
    this.element = h('details', {class: 'card'}, h('summary', {}, h('h2', {}, 'Grid of scales')),
      h('div', {class: 'stack'},
        h('p', {class: 'small muted'}, 'The same photo, words and seed with every pair of scales. Choose a picture to compare it and to take its scales.'),
        h('div', {class: 'pair'}, field('Text scales, across', this.text), field('Image scales, down', this.image)),
        h('div', {class: 'row'}, this.runButton, this.cancelButton), this.state, this.fault, this.grid));
  }

  async run() {
    this.fault.textContent = '';
    const columns = scales(this.text.value);
    const rows = scales(this.image.value);
    const cells = columns.length * rows.length;
    if (![...columns, ...rows].every((scale) => scale >= 0 && scale <= 100) || cells === 0 || cells > MOST) {
      this.fault.textContent = `Wants numbers in 0 to 100 in both lists, and at most ${MOST} pictures; these make ${cells}.`;
      return;
    }
    const body = await this.form.formData();
    if (!body) return;
    body.set('cfg_text', columns.join(','));
    body.set('cfg_image', rows.join(','));
    body.delete('count');
    this.form.mask.rest();
    this.#layOut(columns, rows);
    this.abort = new AbortController();
    this.#setRunning(true);
    try {
      await events('/api/v1/sweep', {body, signal: this.abort.signal, take: (name, data) => this.#take(name, data)});
    } catch (error) {
      const cancelled = error.name === 'AbortError' || (error instanceof ApiError && error.code === 'CANCELLED');
      this.state.textContent = cancelled ? 'Cancelled.' : 'That did not work.';
      if (!cancelled) this.fault.textContent = words(error);
    }
    this.#setRunning(false);
  }

  #layOut(columns, rows) {
    this.cells = rows.map(() => columns.map(() => h('td', {}, h('span', {class: 'empty'}))));
    this.grid.replaceChildren(h('table', {class: 'sweep'},
      h('caption', {class: 'unseen'}, 'Edits by text scale, across, and image scale, down'),
      h('thead', {}, h('tr', {}, h('th', {scope: 'col'}, 'image \\ text'),
        columns.map((scale) => h('th', {scope: 'col'}, String(scale))))),
      h('tbody', {}, rows.map((scale, r) => h('tr', {}, h('th', {scope: 'row'}, String(scale)), this.cells[r])))));
  }

  #take(name, data) {
    if (name === 'started') {
      this.form.seedUsed(data.seed);
    } else if (name === 'progress') {
      this.state.textContent = `${data.done} of ${data.cells} made; step ${data.step} of ${data.steps}`;
    } else if (name === 'cell') {
      const {image, seed} = data.outputs[0];
      const cell = {image, seed, url: pictureUrl(image), params: data.params, model: data.model};
      const label = `text ${data.params.cfg_text}, image ${data.params.cfg_image}`;
      this.cells[data.row][data.column].replaceChildren(h('button', {type: 'button', class: 'picture',
        'aria-label': label, onclick: () => this.onPick(cell)}, h('img', {src: cell.url, alt: ''})));
      this.onMade(cell);
    } else if (name === 'done') {
      this.state.textContent = `${data.cells} made with seed ${data.seed}.`;
    }
  }

  #setRunning(running) {
    this.runButton.disabled = running;
    this.cancelButton.disabled = !running;
  }
}
