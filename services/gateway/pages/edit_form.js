// What an edit is made of. Scales and seed are fixed, or drawn anew for each edit and then shown.

import {field, h, options} from './dom.js';
import {MaskPanel} from './mask.js';

const SEEDS = 2 ** 32;

// Where good scales mostly lie, for those that are drawn.
const TEXT_SCALES = [6, 9];
const IMAGE_SCALES = [1.2, 1.8];

const number = (properties) => h('input', {type: 'number', required: true, inputmode: 'decimal', ...properties});

export class EditForm {
  constructor({onSubmit, onPhoto, onPaint}) {
    this.onPhoto = onPhoto;
    this.photo = null;
    this.mask = new MaskPanel({onPaint});
    this.file = h('input', {type: 'file', accept: 'image/jpeg,image/png,image/webp', id: 'photo', class: 'covered',
      onchange: () => this.file.files[0] && this.setPhoto(this.file.files[0], this.file.files[0].name)});
    this.photoName = h('span', {class: 'small'}, 'Drop a photo here, paste one, or choose a file');
    this.drop = h('label', {class: 'drop', for: 'photo'}, this.file, this.photoName,
      h('span', {class: 'hint'}, 'JPEG, PNG or WebP'));
    this.instruction = h('textarea', {rows: 2, placeholder: 'make it winter', maxlength: 4000});
    this.negative = h('input', {type: 'text', maxlength: 4000});
    this.steps = number({min: 1, max: 1000, step: 1, value: 100});
    this.resolution = number({min: 0, max: 2048, step: 64, value: 512});
    this.count = number({min: 1, max: 8, step: 1, value: 1});
    this.seed = number({min: 0, max: SEEDS - 1, step: 1, value: Math.floor(Math.random() * SEEDS)});
    this.text = number({min: 0, max: 100, step: 'any', value: 7.5});
    this.image = number({min: 0, max: 100, step: 'any', value: 1.5});
    this.drawSeed = this.#check(true, this.seed);
    this.drawText = this.#check(false, this.text);
    this.drawImage = this.#check(false, this.image);
    this.sampler = h('select', {});
    this.schedule = h('select', {});
    this.model = h('select', {});
    this.format = h('select', {});
    this.element = h('form', {class: 'stack', id: 'edit-form', onsubmit: (event) => {
      event.preventDefault();
      onSubmit();
    }},
    this.drop, field('Instruction', this.instruction, 'What to change, as one would tell a person'),
    h('div', {class: 'pair'}, this.#drawn('Text scale', this.text, this.drawText, 'more: follows the words'),
      this.#drawn('Image scale', this.image, this.drawImage, 'more: keeps the photo')),
    h('div', {class: 'pair'}, this.#drawn('Seed', this.seed, this.drawSeed), field('Steps', this.steps)),
    h('details', {}, h('summary', {}, 'More settings'), h('div', {class: 'stack'},
      h('div', {class: 'pair'}, field('Sampler', this.sampler), field('Noise levels', this.schedule)),
      h('div', {class: 'pair'}, field('Longest side, px', this.resolution, '0: the photo\'s own'),
        field('Pictures', this.count)),
      h('div', {class: 'pair'}, field('Model', this.model), field('File', this.format)),
      field('Steer away from', this.negative))));
    this.#watchDrops();
  }

  #check(checked, input) {
    const box = h('input', {type: 'checkbox', checked, onchange: () => { input.readOnly = box.checked; }});
    input.readOnly = checked;
    return box;
  }

  #drawn(label, input, box, hint) {
    const made = field(label, input, hint);
    made.append(h('label', {class: 'check'}, box, h('span', {}, 'draw each time', h('span', {class: 'unseen'}, `: ${label}`))));
    return made;
  }

  #watchDrops() {
    const over = (on) => this.drop.classList.toggle('over', on);
    addEventListener('dragover', (event) => { event.preventDefault(); over(true); });
    addEventListener('dragleave', () => over(false));
    addEventListener('drop', (event) => {
      event.preventDefault();
      over(false);
      const file = event.dataTransfer?.files[0];
      if (file) this.setPhoto(file, file.name);
    });
    addEventListener('paste', (event) => {
      const file = [...(event.clipboardData?.files ?? [])].find((f) => f.type.startsWith('image/'));
      if (file) this.setPhoto(file, 'pasted picture');
    });
  }

  setPhoto(blob, name) {
    if (this.photoUrl) URL.revokeObjectURL(this.photoUrl);
    this.photo = blob;
    this.photoUrl = URL.createObjectURL(blob);
    this.photoName.textContent = name;
    this.mask.setPhoto(this.photoUrl);
    this.onPhoto(this.photoUrl);
  }

  setCapabilities(capabilities, models) {
    options(this.sampler, capabilities.samplers, capabilities.defaults.sampler);
    options(this.schedule, capabilities.schedules, capabilities.defaults.schedule);
    options(this.format, capabilities.output_formats, capabilities.output_formats[0]);
    options(this.model, models.map((model) => model.name), models[0].name);
    const {limits, defaults} = capabilities;
    this.steps.max = limits.max_steps;
    this.count.max = limits.max_count;
    this.resolution.max = limits.max_resolution;
    this.maxBytes = limits.max_image_bytes;
    this.mask.feather.max = limits.max_mask_feather;
    this.setParams({...defaults, instruction: undefined});
  }

  // Values from elsewhere stay until they are changed: nothing that is given is drawn anew.
  setParams(params) {
    const inputs = {instruction: this.instruction, negative: this.negative, steps: this.steps, seed: this.seed,
      resolution: this.resolution, cfg_text: this.text, cfg_image: this.image, sampler: this.sampler,
      schedule: this.schedule};
    for (const [name, input] of Object.entries(inputs)) {
      if (params[name] !== undefined) input.value = params[name];
    }
    this.mask.setParams(params);
    if (params.seed !== undefined) {
      for (const box of [this.drawSeed, this.drawText, this.drawImage]) {
        box.checked = false;
        box.dispatchEvent(new Event('change'));
      }
    }
  }

  seedUsed(seed) {
    this.seed.value = seed;
  }

  previewEvery() {
    return Math.max(1, Math.round(Number(this.steps.value) / 25));
  }

  // The request's form; null, with the reason shown, when something is missing.
  async formData() {
    if (!this.photo) {
      this.file.setCustomValidity('Choose a photo first.');
      this.file.reportValidity();
      this.file.setCustomValidity('');
      return null;
    }
    if (!this.element.reportValidity()) return null;
    const between = ([low, high]) => (low + Math.random() * (high - low)).toFixed(2);
    if (this.drawSeed.checked) this.seed.value = Math.floor(Math.random() * SEEDS);
    if (this.drawText.checked) this.text.value = between(TEXT_SCALES);
    if (this.drawImage.checked) this.image.value = between(IMAGE_SCALES);
    const data = new FormData();
    const set = (name, value) => value !== '' && data.set(name, value);
    data.set('image', this.photo, 'photo');
    set('instruction', this.instruction.value);
    set('negative', this.negative.value);
    set('steps', this.steps.value);
    set('resolution', this.resolution.value);
    set('cfg_text', this.text.value);
    set('cfg_image', this.image.value);
    set('seed', this.seed.value);
    set('count', this.count.value);
    set('sampler', this.sampler.value);
    set('schedule', this.schedule.value);
    set('model', this.model.value);
    set('format', this.format.value);
    return await this.mask.addTo(data) ? data : null;
  }
}
