// The Prompts page: captions tried against the configured model.

import {get, post, words} from './api.js';
import {count, field, h, options} from './dom.js';

const REASONS = {
  bad_caption: 'the caption breaks a limit', duplicate: 'it was seen before',
  caption_flagged: 'moderation flagged the caption', answer_flagged: 'moderation flagged the answer',
  malformed: 'the answer lacked a part in every try', unchanged: 'the edited caption was the caption in every try',
  refused: 'the model declined', provider_error: 'the provider failed in every try',
};

export class PromptsPage {
  constructor(section) {
    this.caption = h('textarea', {rows: 2, required: true, maxlength: 4000, placeholder: 'a red circle on a grass background'});
    this.provider = h('select', {});
    this.temperature = h('input', {type: 'number', min: 0, max: 2, step: 0.1, value: 0.7});
    this.seed = h('input', {type: 'number', min: 0, step: 1, value: 0});
    this.button = h('button', {type: 'submit', class: 'main'}, 'Try it');
    this.state = h('p', {role: 'status', class: 'small muted'});
    this.fault = h('p', {class: 'fault', role: 'alert'});
    this.list = h('ol', {class: 'plain stack'});
    section.append(
      h('div', {class: 'head'}, h('h1', {id: 'title-prompts'}, 'Try a caption'),
        this.about = h('p', {class: 'muted small'})),
      h('div', {class: 'columns'},
        h('form', {class: 'card stack', onsubmit: (event) => { event.preventDefault(); this.run(); }},
          field('Caption', this.caption, 'What a picture shows; the model makes up an edit of it'),
          field('Provider', this.provider),
          h('div', {class: 'pair'}, field('Temperature', this.temperature), field('Seed', this.seed, 'for the offline provider')),
          h('div', {class: 'row'}, this.button), this.state, this.fault),
        h('div', {class: 'stack'}, this.list)));
    this.load();
  }

  async load() {
    try {
      const {providers} = await get('/api/v1/prompts/capabilities');
      options(this.provider, providers.map((provider) => provider.kind), providers[0].kind);
      this.about.textContent = providers.map(({kind, model}) => (model ? `${kind}: ${model}` : kind)).join('; ');
    } catch (error) {
      this.fault.textContent = words(error);
      this.button.disabled = true;
    }
  }

  async run() {
    this.fault.textContent = '';
    this.button.disabled = true;
    this.state.textContent = 'Asking the model …';
    const caption = this.caption.value.trim();
    try {
      const outcome = await post('/api/v1/prompts', {caption, params: {
        provider: this.provider.value, temperature: Number(this.temperature.value), seed: Number(this.seed.value),
      }});
      this.list.prepend(this.#card(caption, outcome));
      this.state.textContent = outcome.prompt ? 'There is an answer.' : 'The caption was rejected.';
      this.seed.value = Number(this.seed.value) + 1;
    } catch (error) {
      this.state.textContent = '';
      this.fault.textContent = words(error);
    }
    this.button.disabled = false;
  }

  #card(caption, outcome) {
    const {usage} = outcome;
    const dollars = (usage.cost_micro_usd / 1e6).toFixed(4);
    const part = (name, text) => [h('dt', {}, name), h('dd', {}, text)];
    const body = outcome.prompt
      ? [...part('Caption', outcome.prompt.caption), ...part('Edit', outcome.prompt.edit),
        ...part('Edited caption', outcome.prompt.output)]
      : [...part('Caption', caption), ...part('Rejected', REASONS[outcome.rejected] ?? outcome.rejected)];
    return h('li', {class: 'card stack'}, h('dl', {class: 'facts'}, body),
      h('p', {class: 'small muted number'}, `${outcome.model || 'no model'}; ${count(usage.requests)} requests, ` +
        `${count(usage.prompt_tokens + usage.completion_tokens)} tokens, $${dollars}`));
  }
}
