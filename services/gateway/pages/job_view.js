// One training job, live: figures, loss, moves, checkpoints, validation images and the log.

import {events, get, post, remove, words} from './api.js';
import {LossChart} from './chart.js';
import {brief, count, duration, h} from './dom.js';

const FINAL = ['succeeded', 'failed', 'cancelled'];
const MOVES = {
  pause: ['running'], resume: ['paused'], save: ['running'],
  cancel: ['queued', 'starting', 'running', 'restarting', 'paused'],
};
const LOG_LINES = 400;
const RETRY_MS = 2000;

// A line of a worker's own is JSON: its event, then what belongs to it. Others are shown as they came.
function plain(text) {
  try {
    const {time: _, level, event, ...facts} = JSON.parse(text);
    if (typeof event !== 'string') return text;
    const words = Object.entries(facts).map(([name, value]) => `${name} ${typeof value === 'number' ? brief(value) : value}`);
    return `${level === 'info' ? '' : `${level}: `}${event}${words.length ? `: ${words.join(', ')}` : ''}`;
  } catch {
    return text;
  }
}

export class JobView {
  constructor(onChange) {
    this.onChange = onChange;
    this.chart = new LossChart();
    this.title = h('h2', {}, '');
    this.chip = h('span', {class: 'chip'});
    this.bar = h('progress', {value: 0, max: 1, 'aria-label': 'Steps made'});
    this.figures = h('p', {class: 'number small muted'});
    this.error = h('p', {class: 'fault'});
    this.state = h('p', {class: 'small muted', role: 'status'});
    this.fault = h('p', {class: 'fault', role: 'alert'});
    this.buttons = Object.fromEntries(Object.keys(MOVES).map((verb) => [verb, h('button', {type: 'button',
      class: verb === 'cancel' ? 'danger' : '', onclick: () => this.move(verb)}, verb[0].toUpperCase() + verb.slice(1))]));
    this.deleteButton = h('button', {type: 'button', class: 'danger', onclick: () => this.forget()}, 'Delete');
    this.checkpoints = h('div', {class: 'scroll'});
    this.validations = h('div', {class: 'stack'});
    this.log = h('pre', {class: 'log', tabindex: 0, role: 'log', 'aria-label': 'Log'});
    this.element = h('div', {class: 'stack', hidden: true},
      h('div', {class: 'card stack'}, h('div', {class: 'row spread'}, this.title, this.chip), this.bar, this.figures,
        this.error, h('div', {class: 'row'}, Object.values(this.buttons), this.deleteButton), this.state, this.fault),
      h('div', {class: 'card stack'}, h('h3', {}, 'Loss'), this.chart.element),
      h('div', {class: 'card stack'}, h('h3', {}, 'Checkpoints'), this.checkpoints),
      h('div', {class: 'card stack'}, h('h3', {}, 'Validation'), this.validations),
      h('details', {class: 'card', open: true}, h('summary', {}, h('h3', {}, 'Log')), this.log));
  }

  get #path() {
    return `/api/v1/training/jobs/${encodeURIComponent(this.id)}`;
  }

  open(id) {
    if (this.id === id && this.abort && !this.abort.signal.aborted) return;
    this.close();
    if (this.id !== id) {
      this.chart.clear();
      this.log.textContent = '';
      this.state.textContent = this.fault.textContent = '';
    }
    this.id = id;
    this.seen = '';
    this.abort = new AbortController();
    this.element.hidden = false;
    this.#curve();
    this.#follow('/watch', (name, data) => name === 'job' && this.#show(data));
    this.#follow(`/logs?tail=${LOG_LINES}`, (name, data) => name === 'lines' && this.#addLines(data.lines), () => {
      this.log.textContent = '';
    });
  }

  close() {
    this.abort?.abort();
  }

  // Goes on after a break: the coordinator may start anew while one watches.
  async #follow(rest, take, begin = () => {}) {
    const {signal} = this.abort;
    for (;;) {
      begin();
      try {
        return await events(this.#path + rest, {signal, take});
      } catch (error) {
        if (signal.aborted) return;
        if (error.code !== 'UNAVAILABLE') {
          this.fault.textContent = words(error);
          return;
        }
        this.state.textContent = 'The connection broke; trying again …';
      }
      await new Promise((resolve) => { setTimeout(resolve, RETRY_MS); });
      if (signal.aborted) return;
    }
  }

  async #curve() {
    try {
      const {points} = await get(`${this.#path}/curve?points=400`);
      if (points.length > this.chart.points.length) this.chart.set(points);
    } catch { /* without the folder of runs the curve grows from now on */ }
  }

  #show(job) {
    this.job = job;
    const of = job.spec.params?.max_steps ?? 0;
    this.title.textContent = job.spec.name;
    this.chip.textContent = job.state;
    this.chip.className = `chip ${job.state}`;
    this.bar.max = Math.max(1, of);
    this.bar.value = job.metrics?.step ?? 0;
    this.error.textContent = job.error;
    this.figures.textContent = this.#words(job, of);
    for (const [verb, states] of Object.entries(MOVES)) this.buttons[verb].disabled = !states.includes(job.state);
    this.deleteButton.disabled = !FINAL.includes(job.state);
    if (job.metrics) this.chart.push({step: job.metrics.step, loss: job.metrics.loss});
    const validation = job.metrics?.validation;
    if (validation) this.chart.mark(validation.step, validation.loss);
    // What lies in folders changes with these.
    const key = [job.state, validation?.step, Math.floor((job.metrics?.step ?? 0) / Math.max(1, job.spec.params?.checkpoint_every ?? 1))].join();
    if (key !== this.seen) {
      this.seen = key;
      this.loadCheckpoints();
      this.loadValidations();
      this.onChange();
    }
  }

  #words(job, of) {
    const {metrics} = job;
    const where = job.state === 'queued' ? `place ${job.queue_position} in the queue` : `${job.spec.objective} on ${job.spec.dataset}`;
    if (!metrics) return where;
    const seconds = metrics.step_duration;
    return [`step ${count(metrics.step)} of ${count(of)}`, `loss ${brief(metrics.loss)}`, `rate ${brief(metrics.learning_rate)}`,
      seconds > 0 ? `${brief((job.spec.params?.batch_size ?? 0) / seconds)} samples/s` : '',
      metrics.remaining && !FINAL.includes(job.state) ? `${duration(metrics.remaining)} left` : '', where]
      .filter(Boolean).join(', ');
  }

  async move(verb, body, done) {
    this.fault.textContent = '';
    this.state.textContent = `Asked to ${verb} …`;
    try {
      const answer = await post(`${this.#path}/${verb}`, body);
      this.state.textContent = done ?? `Done: ${verb}.`;
      if (answer.job) this.#show(answer.job);
      if (!FINAL.includes(this.job.state)) this.#watchAgain();
      this.loadCheckpoints();
      this.onChange();
    } catch (error) {
      this.state.textContent = '';
      this.fault.textContent = words(error);
    }
  }

  // The stream of a job that was final or paused may have ended.
  #watchAgain() {
    const {id} = this;
    this.close();
    this.abort = null;
    this.open(id);
  }

  async forget() {
    if (!confirm(`Delete ${this.job.spec.name} with its logs and unpromoted checkpoints?`)) return;
    try {
      await remove(this.#path);
      this.close();
      this.id = null;
      this.element.hidden = true;
      location.hash = '#training';
      this.onChange();
    } catch (error) {
      this.fault.textContent = words(error);
    }
  }

  async loadCheckpoints() {
    try {
      const {checkpoints} = await get(`${this.#path}/checkpoints`);
      if (checkpoints.length === 0) {
        this.checkpoints.replaceChildren(h('p', {class: 'small muted'}, 'None yet.'));
        return;
      }
      const cells = (tag, words) => words.map((word) => h(tag, tag === 'th' ? {scope: 'col'} : {class: 'number'}, word));
      this.checkpoints.replaceChildren(h('table', {class: 'rows'}, h('thead', {}, h('tr', {}, cells('th', ['Step', 'Loss', 'Size', 'Made', 'Serves as', 'Move']))),
        h('tbody', {}, checkpoints.map((checkpoint) => h('tr', {},
          cells('td', [count(checkpoint.step), brief(checkpoint.loss), `${(checkpoint.size_bytes / 1e6).toFixed(1)} MB`,
            new Date(checkpoint.create_time).toLocaleTimeString(), checkpoint.promoted_to.join(', ') || '–']),
          h('td', {}, h('button', {type: 'button', class: 'little', 'aria-label': `Promote step ${checkpoint.step}`,
            onclick: () => this.move('promote', {step: checkpoint.step},
              `Step ${checkpoint.step} serves edits now.`)}, 'Promote')))))));
    } catch (error) {
      this.fault.textContent = words(error);
    }
  }

  async loadValidations() {
    try {
      const {validations} = await get(`${this.#path}/validations`);
      this.validations.replaceChildren(...validations.slice(0, 4).map((made) => this.#validation(made)));
      if (validations.length === 0) this.validations.append(h('p', {class: 'small muted'}, 'None yet.'));
    } catch {
      this.validations.replaceChildren(h('p', {class: 'small muted'}, 'This gateway does not see the folder of runs.'));
    }
  }

  #validation({step, metrics, images}) {
    const url = (name) => `${this.#path}/validations/${step}/${name}`;
    const loss = metrics && metrics.loss !== undefined ? `, loss ${brief(metrics.loss)}` : '';
    return h('div', {}, h('p', {class: 'small'}, `Step ${count(step)}${loss}`),
      h('div', {class: 'thumbs'}, images.map((name) => h('img', {src: url(name), alt: `${name.replace('.png', '')} at step ${step}`,
        loading: 'lazy', width: 96, height: 96}))));
  }

  #addLines(lines) {
    const end = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 40;
    for (const line of lines) this.log.append(`${line.time.slice(11, 19)} ${line.rank} ${plain(line.text)}\n`);
    while (this.log.childNodes.length > LOG_LINES) this.log.firstChild.remove();
    if (end) this.log.scrollTop = this.log.scrollHeight;
  }
}
