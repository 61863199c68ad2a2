// Former edits, kept in this browser: pictures with their parameters, the newest first.

import {pictureBlob} from './api.js';
import {fixed, h} from './dom.js';

const MOST = 40;

// A promise of an IndexedDB request's result.
const result = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

async function open() {
  const request = indexedDB.open('ip2p', 1);
  request.onupgradeneeded = () => request.result.createObjectStore('edits', {keyPath: 'key', autoIncrement: true});
  return result(request);
}

export class History {
  constructor(actions) {
    this.actions = actions;
    this.entries = [];
    this.list = h('ol', {class: 'history'});
    this.clearButton = h('button', {type: 'button', class: 'little quiet', onclick: () => this.clear()}, 'Forget all');
    this.element = h('section', {class: 'stack', 'aria-labelledby': 'history-title', hidden: true},
      h('div', {class: 'head'}, h('h2', {id: 'history-title'}, 'History'), this.clearButton), this.list);
    this.#load();
  }

  async #load() {
    try {
      this.store = await open();
      const kept = await result(this.store.transaction('edits').objectStore('edits').getAll());
      this.entries.push(...kept.reverse());
      this.#render();
    } catch { /* a private window keeps nothing: the list lives as long as the page */ }
  }

  #write(action) {
    if (this.store) action(this.store.transaction('edits', 'readwrite').objectStore('edits'));
  }

  add(photo, image, seed, params, model) {
    const bytes = Uint8Array.from(atob(image.data), (c) => c.charCodeAt(0));
    const entry = {photo, result: pictureBlob(bytes, image.format), width: image.width, height: image.height,
      format: image.format, params: {...params, seed, count: undefined}, model, time: Date.now()};
    this.entries.unshift(entry);
    this.#write((edits) => { result(edits.add(entry)).then((key) => { entry.key = key; }); });
    for (const old of this.entries.splice(MOST)) this.#forget(old);
    this.#render();
  }

  #forget(entry) {
    if (entry.url) URL.revokeObjectURL(entry.url);
    if (entry.key) this.#write((edits) => edits.delete(entry.key));
  }

  clear() {
    for (const entry of this.entries.splice(0)) this.#forget(entry);
    this.#write((edits) => edits.clear());
    this.#render();
  }

  #render() {
    this.element.hidden = this.entries.length === 0;
    this.list.replaceChildren(...this.entries.map((entry) => this.#card(entry)));
  }

  #card(entry) {
    entry.url ??= URL.createObjectURL(entry.result);
    const {params} = entry;
    const words = params.instruction || '(no instruction)';
    const act = (text, action) => h('button', {type: 'button', class: 'little', 'aria-label': `${text}: ${words}`,
      onclick: action}, text);
    return h('li', {class: 'card stack'},
      h('button', {type: 'button', class: 'picture', 'aria-label': `Compare: ${words}`,
        onclick: () => this.actions.onShow(entry)}, h('img', {src: entry.url, alt: '', loading: 'lazy'})),
      h('p', {class: 'words'}, words),
      h('p', {class: 'small muted number'}, `seed ${params.seed}, ${params.steps} steps, text ${fixed(params.cfg_text)}, ` +
        `image ${fixed(params.cfg_image)}, ${params.sampler}, ${entry.model}`),
      h('div', {class: 'row'},
        act('Use as input', () => this.actions.onUseAsInput(entry)),
        act('Use settings', () => this.actions.onUseSettings(entry)),
        h('a', {class: 'button little', href: entry.url, download: `edit-${params.seed}.${entry.format}`,
          'aria-label': `Download: ${words}`}, 'Download')));
  }
}
