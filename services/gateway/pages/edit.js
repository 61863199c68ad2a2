// The Edit page: a photo, an instruction, and what becomes of them.

import {ApiError, events, get, pictureUrl, words} from './api.js';
import {Compare} from './compare.js';
import {count, duration, h} from './dom.js';
import {EditForm} from './edit_form.js';
import {History} from './history.js';
import {SweepPanel} from './sweep.js';
import {tips} from './tips.js';

export class EditPage {
  constructor(section) {
    this.compare = new Compare();
    this.form = new EditForm({onSubmit: () => this.run(), onPhoto: (url) => this.photoChosen(url),
      onPaint: () => this.compare.show(this.form?.photoUrl)});
    this.compare.box.append(this.form.mask.canvas, this.form.mask.ring);
    this.cancelButton = h('button', {type: 'button', class: 'danger', disabled: true, onclick: () => this.cancel()},
      'Cancel');
    this.editButton = h('button', {type: 'submit', class: 'main', form: this.form.element.id}, 'Edit');
    this.bar = h('progress', {value: 0, max: 1, 'aria-label': 'Denoising', hidden: true});
    this.state = h('p', {role: 'status', class: 'small muted'}, 'Choose a photo and say what to change.');
    this.fault = h('p', {class: 'fault', role: 'alert'});
    this.results = h('div', {class: 'thumbs', role: 'group', 'aria-label': 'Results'});
    this.history = new History({
      onUseAsInput: (entry) => this.form.setPhoto(entry.result, 'edit.png'),
      onUseSettings: (entry) => this.form.setParams(entry.params),
      onShow: (entry) => this.showEntry(entry),
    });
    this.sweep = new SweepPanel({
      form: this.form,
      onPick: (cell) => {
        this.compare.show(this.form.photoUrl, cell.url, cell.image);
        this.form.setParams({cfg_text: cell.params.cfg_text, cfg_image: cell.params.cfg_image, seed: cell.seed});
        this.state.textContent = `From the grid: text ${cell.params.cfg_text}, image ${cell.params.cfg_image}.`;
      },
      onMade: (cell) => this.history.add(this.form.photo, cell.image, cell.seed, cell.params, cell.model),
    });
    section.append(
      h('div', {class: 'head'}, h('h1', {id: 'title-edit'}, 'Edit a photo'),
        this.modelLine = h('p', {class: 'muted small'})),
      h('div', {class: 'columns'},
        h('div', {class: 'card stack'}, this.form.element,
          h('div', {class: 'row actions'}, this.editButton, this.cancelButton)),
        h('div', {class: 'stack'},
          h('div', {class: 'card stack'}, this.compare.element, this.bar, this.state, this.fault, this.results,
            this.form.mask.element),
          this.sweep.element, tips())),
      this.history.element);
    this.load();
  }

  async load() {
    try {
      const [capabilities, models] = await Promise.all([get('/api/v1/capabilities'), get('/api/v1/models')]);
      this.form.setCapabilities(capabilities, models.models);
      const model = models.models[0];
      this.modelLine.textContent =
        `${model.name}, revision ${model.revision}, ${model.precision ?? ''}, made for ${model.native_resolution} px`;
      if (capabilities.estimate) this.modelLine.append(`; about ${duration(capabilities.estimate)} with the defaults`);
    } catch (error) {
      this.fault.textContent = words(error);
    }
  }

  photoChosen(url) {
    this.compare.show(url);
    this.results.replaceChildren();
    this.state.textContent = 'Say what to change, then Edit.';
  }

  async run() {
    this.fault.textContent = '';
    const body = await this.form.formData();
    if (!body) return;
    body.set('preview_every', this.form.previewEvery());
    this.id = crypto.randomUUID ? crypto.randomUUID() : `edit-${Date.now()}-${Math.random().toString(36).slice(2)}`;
    this.abort = new AbortController();
    this.setRunning(true);
    this.form.mask.rest();
    this.state.textContent = 'Sending the photo …';
    this.results.replaceChildren();
    this.compare.show(this.form.photoUrl);
    try {
      await events('/api/v1/edit', {
        body, id: this.id, signal: this.abort.signal, take: (name, data) => this.take(name, data),
      });
    } catch (error) {
      const cancelled = error.name === 'AbortError' || (error instanceof ApiError && error.code === 'CANCELLED');
      this.state.textContent = cancelled ? 'Cancelled.' : 'That did not work.';
      if (!cancelled) this.fault.textContent = words(error);
      this.compare.show(this.form.photoUrl);
    }
    this.setRunning(false);
  }

  // The server is told; should it not answer, hanging up tells it too.
  async cancel() {
    this.cancelButton.disabled = true;
    this.state.textContent = 'Cancelling …';
    const abort = this.abort;
    fetch(`/api/v1/cancel/${this.id}`, {method: 'POST'}).catch(() => {});
    setTimeout(() => abort.abort(), 1500);
  }

  take(name, data) {
    if (name === 'accepted') {
      const wait = data.position > 0 ? `${data.position} before this one` : 'next in line';
      const estimate = data.estimate ? `, about ${duration(data.estimate)}` : '';
      this.state.textContent = `Accepted: ${wait}${estimate}.`;
      this.form.seedUsed(data.params.seed);
    } else if (name === 'progress') {
      const of = data.output > 0 ? `picture ${data.output + 1}, ` : '';
      this.bar.max = data.steps;
      this.bar.value = data.step;
      this.state.textContent = `Denoising: ${of}step ${data.step} of ${data.steps}`;
      if (data.preview && data.output === 0) this.compare.preview(pictureUrl(data.preview));
    } else if (name === 'result') {
      this.finished(data);
    }
  }

  finished(result) {
    const cut = result.instruction_truncated ? ' The instruction was longer than the model reads; its end was left out.' : '';
    this.state.textContent = `${count(result.outputs.length)} made in ${duration(result.run_time)}` +
      `${result.queue_time > 0.5 ? ` after ${duration(result.queue_time)} in the queue` : ''}, ` +
      `seed ${result.outputs[0].seed}, text ${result.params.cfg_text}, image ${result.params.cfg_image}.${cut}`;
    const shown = result.outputs.map((output) => {
      const url = pictureUrl(output.image);
      this.history.add(this.form.photo, output.image, output.seed, result.params, result.model);
      return {url, output};
    });
    this.compare.show(this.form.photoUrl, shown[0].url, shown[0].output.image);
    this.results.replaceChildren(...shown.map(({url, output}, i) => h('div', {class: 'thumb'},
      h('button', {type: 'button', class: 'picture', 'aria-label': `Show result ${i + 1}, seed ${output.seed}`,
        onclick: () => this.compare.show(this.form.photoUrl, url, output.image)},
      h('img', {src: url, alt: ''})),
      h('a', {class: 'button little', href: url, download: `edit-${output.seed}.${output.image.format}`},
        `Download ${output.seed}`),
      output.mask && h('a', {class: 'button little', href: pictureUrl(output.mask), download: `mask-${output.seed}.png`},
        `Mask of ${output.seed}`))));
  }

  showEntry(entry) {
    const before = URL.createObjectURL(entry.photo);
    const after = URL.createObjectURL(entry.result);
    this.form.mask.rest();
    this.compare.show(before, after, entry);
    this.state.textContent = `From the history: ${entry.params.instruction || '(no instruction)'}`;
    this.compare.element.scrollIntoView({block: 'nearest'});
  }

  setRunning(running) {
    this.editButton.disabled = running;
    this.cancelButton.disabled = !running;
    this.bar.hidden = !running;
    this.bar.removeAttribute('value');
  }
}
