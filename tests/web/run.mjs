// node run.mjs SCENARIO URL JSON: one scenario in a browser of its own. Exit code 0 when all is as it should be.

import * as editing from './edit_page.mjs';
import * as others from './other_pages.mjs';
import * as shown from './document_pictures.mjs';
import {withBrowser} from './browser.mjs';

const [, , scenario, url, facts] = process.argv;
await withBrowser((browser) => ({...editing, ...others, ...shown})[scenario](browser, url, JSON.parse(facts)));
