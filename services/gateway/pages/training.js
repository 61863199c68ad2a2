// The Training page: the jobs, and one of them in full, live.

import {get, words} from './api.js';
import {brief, count, h} from './dom.js';
import {JobForm} from './job_form.js';
import {JobView} from './job_view.js';

const REFRESH_MS = 3000;

export function progressOf(job) {
  const step = job.metrics?.step ?? 0;
  return {step, of: job.spec.params?.max_steps ?? 0};
}

export class TrainingPage {
  constructor(section) {
    this.fault = h('p', {class: 'fault', role: 'alert'});
    this.list = h('ul', {class: 'plain jobs'});
    this.view = new JobView(() => this.refresh());
    section.append(
      h('div', {class: 'head'}, h('h1', {id: 'title-training'}, 'Training')), this.fault,
      h('div', {class: 'columns narrow'}, h('div', {class: 'stack'}, h('h2', {}, 'Jobs'), this.list,
        new JobForm((job) => { location.hash = `#training/${job.id}`; this.refresh(); }).element),
      this.view.element));
  }

  show(id) {
    this.visible = true;
    if (id) this.view.open(id);
    this.refresh();
  }

  hide() {
    this.visible = false;
    clearTimeout(this.timer);
    this.view.close();
  }

  async refresh() {
    clearTimeout(this.timer);
    try {
      const {jobs} = await get('/api/v1/training/jobs?page_size=50');
      this.fault.textContent = '';
      this.#render(jobs);
      if (!this.view.id && jobs.length > 0) this.view.open(jobs[0].id);
    } catch (error) {
      this.fault.textContent = words(error);
    }
    if (this.visible) this.timer = setTimeout(() => this.refresh(), REFRESH_MS);
  }

  #render(jobs) {
    const focused = document.activeElement?.getAttribute('href');
    this.list.replaceChildren(...jobs.map((job) => {
      const {step, of} = progressOf(job);
      return h('li', {}, h('a', {class: 'card stack', href: `#training/${job.id}`,
        'aria-current': this.view.id === job.id ? 'true' : null},
      h('span', {class: 'row spread'}, h('b', {}, job.spec.name), h('span', {class: `chip ${job.state}`}, job.state)),
      h('span', {class: 'small muted number'}, `${job.spec.objective}, step ${count(step)} of ${count(of)}` +
        (job.metrics ? `, loss ${brief(job.metrics.loss)}` : ''))));
    }));
    if (jobs.length === 0) this.list.append(h('li', {class: 'muted'}, 'There is no job yet.'));
    if (focused?.startsWith('#training/')) [...this.list.querySelectorAll('a')].find((link) => link.getAttribute('href') === focused)?.focus();
  }
}
