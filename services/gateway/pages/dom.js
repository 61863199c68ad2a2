// Elements from data. Text only ever becomes text nodes, never markup.

const SVG = 'http://www.w3.org/2000/svg';

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'value') element.value = value;
    else if (value === true) element.setAttribute(name, '');
    else element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

// h('p', {class: 'muted'}, 'text', child)
export function h(tag, properties, ...children) {
  return fill(document.createElement(tag), properties, children);
}

// The same for SVG.
export function s(tag, properties, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

// A label with its control; `hint` says more.
let fields = 0;
export function field(label, control, hint) {
  control.id ||= `field-${++fields}`;
  return h('div', {class: 'field'}, h('label', {for: control.id}, label), control,
    hint ? h('span', {class: 'hint'}, hint) : null);
}

export function options(select, words, chosen) {
  select.replaceChildren(...words.map((word) => h('option', {value: word, selected: word === chosen}, word)));
}

export function pages(total, offset, limit) {
  return total === 0 ? 'none' : `${offset + 1} to ${Math.min(offset + limit, total)} of ${count(total)}`;
}

export const count = (number) => Number(number ?? 0).toLocaleString('en');
export const fixed = (number, digits = 2) => (number === null || number === undefined ? '–' : number.toFixed(digits));

// Four digits that matter: "0.03412", "12.3".
export function brief(number) {
  if (number === null || number === undefined || Number.isNaN(number)) return '–';
  if (number !== 0 && (Math.abs(number) < 0.001 || Math.abs(number) >= 1e6)) return number.toExponential(2);
  return Number(number.toPrecision(4)).toString();
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return '';
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  const two = (number) => String(Math.floor(number)).padStart(2, '0');
  if (minutes < 60) return `${minutes}:${two(seconds % 60)} min`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)} h`;
}

// Calls `work` once things have been quiet for a moment.
export function settled(work, milliseconds = 150) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, milliseconds);
  };
}
