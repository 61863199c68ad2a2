// Two pictures over each other with a line to drag: before on its left, after on its right. The line is a range
// input over the whole picture, so keys move it too. Layers lie in one box of the result's shape; more can lie there.

import {h} from './dom.js';

export class Compare {
  constructor() {
    this.before = h('img', {alt: 'Before the edit', class: 'layer', hidden: true});
    this.after = h('img', {alt: 'After the edit', class: 'layer after', hidden: true});
    this.line = h('div', {class: 'line', hidden: true});
    this.range = h('input', {type: 'range', min: 0, max: 100, step: 1, value: 50, class: 'divider', hidden: true,
      'aria-label': 'Before and after: where the line stands', oninput: () => this.#move()});
    this.empty = h('p', {class: 'muted'}, 'The photo and its edit are shown here.');
    this.box = h('div', {class: 'layers'}, this.before, this.after, this.line, this.range, this.empty);
    this.element = h('figure', {class: 'compare'}, this.box, h('figcaption', {class: 'row spread small muted', hidden: true},
      h('span', {}, 'before'), h('span', {}, 'after')));
    this.#move();
  }

  // `shape` has the result's width and height, which the photo is cropped to, as the model saw it.
  show(before, after, shape) {
    this.empty.hidden = Boolean(before);
    this.before.hidden = !before;
    if (before) this.before.src = before;
    this.after.hidden = !after;
    this.after.classList.remove('sketch');
    if (after) this.after.src = after;
    const both = Boolean(before && after);
    this.line.hidden = this.range.hidden = this.element.lastChild.hidden = !both;
    this.#fit(shape);
    this.range.value = 50;
    this.#move();
  }

  // What the denoising has come to: the whole picture, until the result is there.
  preview(url) {
    const former = this.sketchUrl;
    this.after.src = this.sketchUrl = url;
    this.after.hidden = false;
    this.after.classList.add('sketch');
    this.range.value = 0;
    this.#move();
    if (former) setTimeout(() => URL.revokeObjectURL(former), 1000);
  }

  // Without a shape the photo's own, once that is known; a later call wins.
  async #fit(shape) {
    const turn = this.turn = {};
    if (!shape?.width && !this.before.hidden) {
      await this.before.decode().catch(() => {});
      shape = {width: this.before.naturalWidth || 1, height: this.before.naturalHeight || 1};
    }
    if (shape && turn === this.turn) this.box.style.setProperty('--ratio', shape.width / shape.height);
  }

  #move() {
    this.box.style.setProperty('--cut', `${this.range.value}%`);
  }
}
