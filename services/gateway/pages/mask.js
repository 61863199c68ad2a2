// What of the photo may change: all of it, what is painted on it, or what the model finds the instruction is about.
// Strokes are kept in the photo's pixels and drawn at its own size when they are sent. Mouse, pen, finger and keys.

import {field, h} from './dom.js';

const MOST = 1024;  // px of the longer side of what is painted on; enough for the eye
const COLOUR = '#e6285a';
const ARROWS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};

function drawStroke(context, stroke, scale, colour) {
  context.strokeStyle = context.fillStyle = colour;
  context.lineWidth = stroke.width * scale;
  context.lineCap = context.lineJoin = 'round';
  context.beginPath();
  const [first, ...rest] = stroke.points.map(([x, y]) => [x * scale, y * scale]);
  if (rest.length === 0) {
    context.arc(...first, context.lineWidth / 2, 0, 2 * Math.PI);
    context.fill();
    return;
  }
  context.moveTo(...first);
  for (const point of rest) context.lineTo(...point);
  context.stroke();
}

export class MaskPanel {
  // `onPaint` is called when one begins to paint: the photo should be seen then.
  constructor({onPaint}) {
    this.onPaint = onPaint;
    this.photo = {width: 1, height: 1};
    this.strokes = [];
    this.cursor = null;  // of the keys; where the ring stands, in the photo's pixels
    this.canvas = h('canvas', {class: 'brush', tabindex: 0, role: 'application', hidden: true,
      'aria-label': 'Paint what may change', 'aria-describedby': 'brush-keys',
      onpointerdown: (event) => this.#down(event), onpointermove: (event) => this.#drag(event),
      onpointerup: () => this.#lift(), onpointercancel: () => this.#lift(),
      onpointerleave: () => { this.ring.hidden = document.activeElement !== this.canvas; },
      onkeydown: (event) => this.#key(event), onblur: () => { this.#lift(); this.ring.hidden = true; },
      onfocus: () => this.#moveTo(this.cursor ?? [this.photo.width / 2, this.photo.height / 2])});
    this.ring = h('div', {class: 'ring', hidden: true});
    this.size = h('input', {type: 'range', min: 1, max: 40, step: 1, value: 10,
      oninput: () => this.cursor && this.#moveTo(this.cursor)});
    this.feather = h('input', {type: 'number', min: 0, max: 64, step: 1, value: 8, required: true, inputmode: 'numeric'});
    this.threshold = h('input', {type: 'number', min: 0, max: 1, step: 'any', value: 0.5, required: true,
      inputmode: 'decimal'});
    const tool = (text, erases) => h('button', {type: 'button', class: 'little', 'aria-pressed': 'false',
      onclick: () => this.#take({erases})}, text);
    this.brush = tool('Paint', false);
    this.eraser = tool('Erase', true);
    this.undo = h('button', {type: 'button', class: 'little', onclick: () => { this.strokes.pop(); this.#redraw(); }}, 'Undo');
    this.clear = h('button', {type: 'button', class: 'little', onclick: () => { this.strokes = []; this.#redraw(); }}, 'Clear');
    this.state = h('p', {role: 'status', class: 'small muted unseen'});
    this.fault = h('p', {class: 'fault', role: 'alert'});
    this.modes = Object.fromEntries(['all', 'paint', 'auto'].map((mode) => [mode, h('input', {type: 'radio',
      name: 'may-change', value: mode, checked: mode === 'all', onchange: () => this.#show()})]));
    const choice = (mode, text) => h('label', {class: 'check'}, this.modes[mode], text);
    this.painting = h('div', {class: 'stack'},
      h('div', {class: 'row'}, this.brush, this.eraser, this.undo, this.clear),
      field('Brush size', this.size),
      h('p', {class: 'small muted', id: 'brush-keys'}, 'Paint on the photo. By keys: the arrows move the brush, with Shift by ' +
        'little; Space puts it down and lifts it; [ and ] change its size; E erases, B paints.'));
    this.finding = field('Threshold', this.threshold, 'less: more is edited');
    this.fading = field('Soft edge, px', this.feather, 'the edit fades in, inwards');
    this.element = h('fieldset', {class: 'stack'}, h('legend', {}, 'What may change'),
      h('div', {class: 'row'}, choice('all', 'the whole photo'), choice('paint', 'what I paint'),
        choice('auto', 'what the model finds')),
      this.painting, h('div', {class: 'pair'}, this.fading, this.finding),
      this.kept = h('p', {class: 'small muted'}, 'The rest keeps every pixel, at the photo\'s own size; the file is PNG, or ' +
        'WebP without loss.'), this.state, this.fault);
    this.#show();
  }

  get mode() {
    return Object.keys(this.modes).find((mode) => this.modes[mode].checked);
  }

  // Another photo is another mask.
  async setPhoto(url) {
    this.strokes = [];
    this.cursor = null;
    this.fault.textContent = '';
    if (this.mode === 'paint') this.#take({erases: false});
    const image = new Image();
    image.src = url;
    await image.decode().catch(() => {});
    this.photo = {width: image.naturalWidth || 1, height: image.naturalHeight || 1};
    this.scale = Math.min(1, MOST / Math.max(this.photo.width, this.photo.height));
    this.canvas.width = Math.max(1, Math.round(this.photo.width * this.scale));
    this.canvas.height = Math.max(1, Math.round(this.photo.height * this.scale));
    this.#redraw();
  }

  setParams(params) {
    if (params.mask_feather !== undefined) this.feather.value = params.mask_feather;
    if (params.auto_mask === undefined) return;
    this.threshold.value = params.auto_mask;
    this.modes.auto.checked = true;
    this.#show();
  }

  // The brush is laid aside, so that what comes can be seen and compared.
  rest() {
    this.#take(null);
  }

  // Adds what a masked edit needs to a request's form. False, with the reason shown, when it can't be.
  async addTo(data) {
    this.fault.textContent = '';
    if (this.mode === 'all') return true;
    const numbers = this.mode === 'auto' ? [this.feather, this.threshold] : [this.feather];
    if (!numbers.every((input) => input.reportValidity())) return false;
    if (this.mode === 'auto') {
      data.set('auto_mask', this.threshold.value);
    } else {
      const mask = await this.#draw();
      if (!mask) {
        this.fault.textContent = 'Paint what may change first.';
        return false;
      }
      data.set('mask', mask, 'mask.png');
    }
    data.set('mask_feather', this.feather.value);
    if (data.get('format') === 'webp') data.set('lossless', 'true');
    return true;
  }

  // White on black at the photo's own size; null when nothing is painted.
  async #draw() {
    const canvas = h('canvas', {width: this.photo.width, height: this.photo.height});
    const context = canvas.getContext('2d');
    context.fillStyle = '#000';
    context.fillRect(0, 0, canvas.width, canvas.height);
    for (const stroke of this.strokes) drawStroke(context, stroke, 1, stroke.erases ? '#000' : '#fff');
    const left = this.canvas.getContext('2d').getImageData(0, 0, this.canvas.width, this.canvas.height).data;
    if (!left.some((value, i) => i % 4 === 3 && value > 127)) return null;
    return new Promise((resolve) => { canvas.toBlob(resolve, 'image/png'); });
  }

  #show() {
    this.painting.hidden = this.mode !== 'paint';
    this.finding.hidden = this.mode !== 'auto';
    this.fading.hidden = this.kept.hidden = this.mode === 'all';
    this.fault.textContent = '';
    this.#take(this.mode === 'paint' ? {erases: false} : null);
  }

  #take(tool) {
    this.#lift();
    if (tool && !this.tool) this.onPaint();
    this.tool = tool;
    this.canvas.hidden = !tool;
    if (!tool) this.ring.hidden = true;
    this.brush.setAttribute('aria-pressed', String(Boolean(tool && !tool.erases)));
    this.eraser.setAttribute('aria-pressed', String(Boolean(tool?.erases)));
  }

  #width() {
    return Math.max(1, Number(this.size.value) / 100 * Math.max(this.photo.width, this.photo.height));
  }

  #place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width * this.photo.width, (event.clientY - box.top) / box.height * this.photo.height];
  }

  #begin(point) {
    this.stroke = {erases: this.tool.erases, width: this.#width(), points: [point]};
    this.strokes.push(this.stroke);
    this.#redraw();
  }

  #moveTo([x, y]) {
    this.cursor = [Math.min(Math.max(x, 0), this.photo.width), Math.min(Math.max(y, 0), this.photo.height)];
    const share = (value, of) => `${100 * value / of}%`;
    this.ring.hidden = false;
    this.ring.style.setProperty('left', share(this.cursor[0], this.photo.width));
    this.ring.style.setProperty('top', share(this.cursor[1], this.photo.height));
    this.ring.style.setProperty('width', share(this.#width(), this.photo.width));
  }

  #down(event) {
    if (event.button > 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.#moveTo(this.#place(event));
    this.#begin(this.cursor);
  }

  #drag(event) {
    for (const step of event.getCoalescedEvents?.() ?? []) this.stroke?.points.push(this.#place(step));
    this.#moveTo(this.#place(event));
    if (!this.stroke) return;
    this.stroke.points.push(this.cursor);
    this.#redraw();
  }

  #lift() {
    if (!this.stroke) return;
    this.stroke = null;
    this.state.textContent = 'The brush is lifted.';
  }

  #key(event) {
    const arrow = ARROWS[event.key];
    if (arrow) {
      const step = event.shiftKey ? this.#width() / 8 : this.#width() / 2;
      this.#moveTo([this.cursor[0] + arrow[0] * step, this.cursor[1] + arrow[1] * step]);
      this.stroke?.points.push(this.cursor);
      this.#redraw();
    } else if (event.key === ' ') {
      if (this.stroke) {
        this.#lift();
      } else {
        this.#begin(this.cursor);
        this.state.textContent = `The brush is down and ${this.tool.erases ? 'erases' : 'paints'}.`;
      }
    } else if (event.key === '[' || event.key === ']') {
      this.size.value = Number(this.size.value) + (event.key === ']' ? 2 : -2);
      this.#moveTo(this.cursor);
    } else if (event.key === 'e' || event.key === 'b') {
      this.#take({erases: event.key === 'e'});
      this.#moveTo(this.cursor);
    } else {
      return;
    }
    event.preventDefault();
  }

  #redraw() {
    const context = this.canvas.getContext('2d', {willReadFrequently: true});
    context.globalCompositeOperation = 'source-over';
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    for (const stroke of this.strokes) {
      context.globalCompositeOperation = stroke.erases ? 'destination-out' : 'source-over';
      drawStroke(context, stroke, this.scale, COLOUR);
    }
    this.undo.disabled = this.clear.disabled = this.strokes.length === 0;
  }
}
