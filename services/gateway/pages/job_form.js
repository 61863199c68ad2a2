// A new training job: the settings that people change; all others are the coordinator's defaults.

import {post, words} from './api.js';
import {field, h} from './dom.js';

const number = (value, properties) => h('input', {type: 'number', value, required: true, ...properties});

export class JobForm {
  constructor(onStarted) {
    this.onStarted = onStarted;
    this.name = h('input', {type: 'text', required: true, pattern: '[a-z0-9\\-]{1,63}', title: 'small letters, digits and -'});
    this.objective = h('select', {},
      ['instruct_pix2pix', 'text_to_image', 'autoencoder', 'clip'].map((word) => h('option', {value: word}, word)));
    this.start = h('select', {}, h('option', {value: 'base_checkpoint'}, 'a checkpoint'),
      h('option', {value: 'fresh_config'}, 'configs, with fresh weights'));
    this.from = h('input', {type: 'text', required: true});
    this.dataset = h('input', {type: 'text', required: true});
    this.params = {
      max_steps: number(10000, {min: 1}), batch_size: number(32, {min: 1}), learning_rate: number(0.0001, {min: 0, step: 'any'}),
      resolution: number(256, {min: 64, step: 64}), checkpoint_every: number(1000, {min: 1}), validate_every: number(0, {min: 0}),
    };
    this.cache = h('input', {type: 'checkbox'});
    this.ranks = number(1, {min: 1, max: 1024});
    this.gpu = h('input', {type: 'checkbox'});
    this.fault = h('p', {class: 'fault', role: 'alert'});
    this.button = h('button', {type: 'submit', class: 'main'}, 'Start');
    const p = this.params;
    this.element = h('details', {class: 'card'}, h('summary', {}, h('h2', {}, 'Start a job')),
      h('form', {class: 'stack', onsubmit: (event) => { event.preventDefault(); this.submit(); }},
        h('p', {class: 'small muted'}, 'Names of files are those of the coordinator\'s data folder.'),
        h('div', {class: 'thirds'}, field('Name', this.name), field('Objective', this.objective), field('Dataset', this.dataset),
          field('Starts from', this.start), field('Its name', this.from), field('Workers', this.ranks),
          field('Steps', p.max_steps), field('Batch', p.batch_size), field('Learning rate', p.learning_rate),
          field('Side, px', p.resolution), field('Checkpoint every', p.checkpoint_every),
          field('Validate every', p.validate_every, '0: never')),
        h('div', {class: 'row'}, h('label', {class: 'check'}, this.cache, 'encode images once'),
          h('label', {class: 'check'}, this.gpu, 'on GPUs')),
        this.fault, h('div', {class: 'row'}, this.button)));
  }

  async submit() {
    this.fault.textContent = '';
    this.button.disabled = true;
    const params = Object.fromEntries(Object.entries(this.params).map(([name, input]) => [name, Number(input.value)]));
    const spec = {name: this.name.value, objective: this.objective.value, dataset: this.dataset.value,
      [this.start.value]: this.from.value, params: {...params, cache_latents: this.cache.checked},
      resources: {world_size: Number(this.ranks.value), gpu: this.gpu.checked}};
    try {
      const {job} = await post('/api/v1/training/jobs', {spec});
      this.element.open = false;
      this.onStarted(job);
    } catch (error) {
      this.fault.textContent = words(error);
    }
    this.button.disabled = false;
  }
}
