// Which page is shown, and logging in. A page is built when it is first shown and lives on behind the others, so
// that an edit goes on while one looks at the training.

import {get, onTokenWanted, post, words} from './api.js';
import {EditPage} from './edit.js';
import {PromptsPage} from './prompts.js';
import {DatasetPage} from './dataset.js';
import {TrainingPage} from './training.js';
import {OverviewPage} from './overview.js';

const PAGES = {
  edit: EditPage, prompts: PromptsPage, dataset: DatasetPage, training: TrainingPage, overview: OverviewPage,
};
const built = {};
let shown = null;

function show() {
  const [name, rest] = location.hash.slice(1).split('/');
  const page = PAGES[name] ? name : 'edit';
  if (location.hash === '#main') return;
  if (shown && shown !== page) built[shown].hide?.();
  for (const key of Object.keys(PAGES)) {
    document.getElementById(`page-${key}`).hidden = key !== page;
    const link = document.querySelector(`nav a[href="#${key}"]`);
    if (key === page) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  built[page] ??= new PAGES[page](document.getElementById(`page-${page}`));
  built[page].show?.(rest ? decodeURIComponent(rest) : '');
  document.title = `${page[0].toUpperCase()}${page.slice(1)} – ip2p`;
  shown = page;
}

const dialog = document.getElementById('login');
let waiting = null;

// One dialog for all requests that wait for a token.
onTokenWanted(() => {
  waiting ??= new Promise((resolve) => {
    dialog.returnValue = '';
    dialog.showModal();
    dialog.addEventListener('close', function closed() {
      if (dialog.returnValue !== 'in') return dialog.showModal();
      dialog.removeEventListener('close', closed);
      waiting = null;
      resolve();
    });
  });
  return waiting;
});

dialog.querySelector('form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const fault = document.getElementById('login-fault');
  const token = document.getElementById('login-token');
  fault.textContent = '';
  try {
    await post('/api/v1/login', {token: token.value});
    token.value = '';
    document.getElementById('logout').hidden = false;
    dialog.close('in');
  } catch (error) {
    fault.textContent = words(error);
    token.select();
  }
});

document.getElementById('logout').addEventListener('click', async () => {
  await post('/api/v1/logout');
  location.reload();
});

window.addEventListener('hashchange', show);
show();
get('/api/v1/session').then((session) => {
  document.getElementById('logout').hidden = !(session.wants_token && session.logged_in);
}).catch(() => {});
