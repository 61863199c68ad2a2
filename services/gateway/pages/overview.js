// The Overview page: the flow from captions to edits, with each service's state and live figures.

import {get, words} from './api.js';
import {brief, count, duration, h} from './dom.js';

const REFRESH_MS = 2000;

// Sums a metric over its labels; `having` picks some.
function sum(figures, name, having = '') {
  let total = 0;
  for (const [key, value] of Object.entries(figures)) {
    if ((key === name || key.startsWith(`${name}{`)) && key.includes(having)) total += value;
  }
  return total;
}

function mean(figures, name) {
  const times = sum(figures, `${name}_count`);
  return times > 0 ? sum(figures, `${name}_sum`) / times : null;
}

const percent = (part, all) => (all > 0 ? `${((100 * part) / all).toFixed(1)} %` : '–');

const STAGES = {
  prompts: {title: 'Prompts', page: '#prompts', about: 'captions become edit instructions', facts: (f) => {
    const made = sum(f, 'ip2p_prompts_generated_total');
    const rejected = sum(f, 'ip2p_prompts_rejected_total');
    return [['made', count(made)], ['rejected', `${count(rejected)}, ${percent(rejected, made + rejected)}`],
      ['spent', `$${sum(f, 'ip2p_prompts_cost_usd_total').toFixed(4)}`], ['runs under way', count(sum(f, 'ip2p_prompts_runs'))]];
  }},
  pairs: {title: 'Pairs', page: '#dataset', about: 'prompts become pairs of images', facts: (f) => {
    const sampled = sum(f, 'ip2p_pairs_sampled_total');
    const kept = sum(f, 'ip2p_pairs_accepted_total');
    return [['samples made', count(sampled)], ['kept', `${count(kept)}, ${percent(kept, sampled)}`],
      ['waiting', count(sum(f, 'ip2p_pairs_queue_depth'))],
      ['a prompt takes', duration(mean(f, 'ip2p_pairs_prompt_duration_seconds')) || '–']];
  }},
  training: {title: 'Training', page: '#training', about: 'pairs train a checkpoint', facts: (f) => [
    ['running jobs', count(sum(f, 'ip2p_train_jobs', 'state="running"'))],
    ['queued jobs', count(sum(f, 'ip2p_train_jobs', 'state="queued"'))],
    ['loss', brief(sum(f, 'ip2p_train_loss') || null)], ['samples seen', count(sum(f, 'ip2p_train_samples_total'))],
    ['restarts', count(sum(f, 'ip2p_train_restarts_total'))]]},
  edits: {title: 'Edits', page: '#edit', about: 'a checkpoint edits photos', facts: (f) => [
    ['made', count(sum(f, 'ip2p_edit_requests_total', 'code="OK"'))], ['under way', count(sum(f, 'ip2p_edit_in_flight'))],
    ['waiting', count(sum(f, 'ip2p_edit_queue_depth'))], ['cancelled', count(sum(f, 'ip2p_edit_cancelled_total'))],
    ['an edit takes', duration(mean(f, 'ip2p_edit_request_duration_seconds')) || '–'],
    ['in a batch', brief(mean(f, 'ip2p_edit_batch_size'))]]},
};

export class OverviewPage {
  constructor(section) {
    this.fault = h('p', {class: 'fault', role: 'alert'});
    this.flow = h('ol', {class: 'flow'});
    this.when = h('p', {class: 'small muted'});
    section.append(h('div', {class: 'head'}, h('h1', {id: 'title-overview'}, 'Overview'), this.when), this.fault, this.flow,
      h('p', {class: 'small muted'}, 'The same can be asked for by programs: see ',
        h('a', {href: '/api/v1/openapi.yaml'}, 'the API\'s description'), '.'));
  }

  show() {
    this.visible = true;
    this.refresh();
  }

  hide() {
    this.visible = false;
    clearTimeout(this.timer);
  }

  async refresh() {
    clearTimeout(this.timer);
    try {
      const {services} = await get('/api/v1/overview');
      this.fault.textContent = '';
      this.#render(services);
      this.when.textContent = `as of ${new Date().toLocaleTimeString()}`;
    } catch (error) {
      this.fault.textContent = words(error);
    }
    if (this.visible) this.timer = setTimeout(() => this.refresh(), REFRESH_MS);
  }

  // Cards are made once, so that focus and text selection outlive a refresh.
  #render(services) {
    this.cards ??= Object.fromEntries(services.map(({name}) => {
      const stage = STAGES[name];
      const card = {chip: h('span', {class: 'chip'}), message: h('p', {class: 'small muted'}), facts: h('dl', {class: 'facts'})};
      card.element = h('li', {class: 'card stack'}, h('div', {class: 'row spread'},
        h('h2', {}, h('a', {href: stage.page}, stage.title)), card.chip),
      h('p', {class: 'small muted'}, stage.about), card.facts, card.message);
      return [name, card];
    }));
    this.flow.replaceChildren(...(this.flow.childNodes.length ? this.flow.childNodes : Object.values(this.cards).map((card) => card.element)));
    for (const {name, state, message, figures} of services) {
      const card = this.cards[name];
      card.chip.textContent = state;
      card.chip.className = `chip ${state}`;
      card.message.textContent = message || (state !== 'absent' && !figures ? 'no figures: the gateway was not told where they are' : '');
      card.facts.replaceChildren(...(figures ? STAGES[name].facts(figures) : [])
        .map(([word, value]) => [h('dt', {}, word), h('dd', {class: 'number'}, value)]).flat());
    }
  }
}
