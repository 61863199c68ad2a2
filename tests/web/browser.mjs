// Debian's Chromium, driven by playwright-core, with what every page has to keep: no errors on the console, nothing
// asked of any other host, no serious accessibility fault, no sideways scrolling.

import assert from 'node:assert/strict';
import {createRequire} from 'node:module';
import path from 'node:path';

const modules = process.env.IP2P_NODE_MODULES;
const require = createRequire(path.join(modules, 'x.js'));
const {chromium} = require('playwright-core');
const AXE = path.join(modules, 'axe-core/axe.min.js');

export const DESKTOP = {width: 1280, height: 900};
export const PHONE = {width: 390, height: 800};
export const PATIENCE_MS = 120_000;

export async function withBrowser(work) {
  // A container has no user namespaces for Chromium's own sandbox; what is opened here is ours.
  const browser = await chromium.launch({executablePath: process.env.IP2P_CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage']});
  try {
    await work(browser);
  } finally {
    await browser.close();
  }
}

// Runs `work(page)` and judges what the page did meanwhile. `allowed` are faults that the scenario is about.
export async function onPage(browser, url, {viewport = DESKTOP, colorScheme = 'light', allowed = []}, work) {
  const context = await browser.newContext({viewport, colorScheme, hasTouch: viewport === PHONE, acceptDownloads: true});
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const faults = [];
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('request', (request) => {
    const asked = new URL(request.url());
    if (asked.protocol !== 'blob:' && asked.protocol !== 'data:' && asked.host !== new URL(url).host) faults.push(`asked ${asked.host}`);
  });
  await page.goto(url);
  await work(page);
  await context.close();
  assert.deepEqual(faults.filter((fault) => !allowed.some((known) => fault.includes(known))), []);
}

export async function judge(page, name) {
  // Evaluated by the driver, so that the page's own rules against scripts stay as they are.
  const source = await import('node:fs').then((fs) => fs.readFileSync(AXE, 'utf8'));
  await page.evaluate(source);
  const {violations} = await page.evaluate(() => globalThis.axe.run(document, {resultTypes: ['violations']}));
  const serious = violations.filter(({impact}) => impact === 'serious' || impact === 'critical')
    .map(({id, nodes}) => `${id}: ${nodes.map((node) => `${node.html.slice(0, 120)} ${node.failureSummary}`).join(' | ')}`);
  assert.deepEqual(serious, [], `accessibility of ${name}`);
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(over, 0, `${name} scrolls sideways by ${over} px`);
}

// For people to look at, where IP2P_SCREENSHOTS names a folder.
export async function picture(page, name, options = {}) {
  const folder = process.env.IP2P_SCREENSHOTS;
  if (!folder) return;
  await page.evaluate(() => scrollTo(0, 0));  // the bar at the top sticks
  await page.screenshot({path: path.join(folder, `${name}.png`), ...options});
}
