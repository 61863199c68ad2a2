// What the documents show of the pages: each in a state that a reader understands, taken by its own viewport.

import {judge, onPage, PHONE, picture} from './browser.mjs';
import {dropPhoto} from './edit_page.mjs';

const WIDE = {width: 1200, height: 760};

async function editReady(page, {photo}) {
  await dropPhoto(page, photo);
  await page.getByLabel('Instruction').fill('make the circle blue');
  await page.getByLabel('Steps', {exact: true}).fill('30');
  await page.getByLabel('Text scale', {exact: true}).fill('2');
  await page.getByRole('button', {name: 'Edit', exact: true}).click();
  await page.locator('.thumb').first().waitFor();
}

const PAGES = {
  edit: {open: 'edit', async show(page, facts) { await editReady(page, facts); }},
  prompts: {open: 'prompts', async show(page) {
    for (const caption of ['a red circle on a grass background', 'a blue heart and a white ring on sand']) {
      await page.getByRole('textbox', {name: 'Caption'}).fill(caption);
      await page.getByRole('button', {name: 'Try it'}).click();
      await page.locator('.facts dd', {hasText: caption}).first().waitFor();
    }
  }},
  dataset: {open: 'dataset', viewport: {width: 1200, height: 1000}, async show(page) {
    await page.getByRole('combobox', {name: 'Dataset'}).selectOption('shapes');
    await page.locator('.tile', {hasText: 'samples with scores'}).waitFor();
    await page.locator('.pairs img').nth(3).evaluate((image) => image.decode());
  }},
  training: {open: 'training', viewport: {width: 1200, height: 940}, async show(page) {
    await page.locator('.chip.succeeded').first().waitFor();
    await page.locator('.chart .smooth').waitFor();
    await page.getByRole('button', {name: /^Promote step/}).nth(3).waitFor();
  }},
  overview: {open: 'overview', viewport: {width: 1200, height: 460}, colorScheme: 'dark', async show(page) {
    await page.locator('.chip.serving').nth(2).waitFor();
    await page.locator('.flow dd').first().waitFor();
  }},
  phone: {open: 'edit', viewport: PHONE, async show(page, facts) {
    await page.getByLabel(/Drop a photo here/).setInputFiles(facts.photo);
    await page.getByLabel('Instruction').fill('turn the circle into a star');
  }},
};

export async function documentPicture(browser, url, facts) {
  const {open, show, viewport = WIDE, colorScheme = 'light'} = PAGES[facts.page];
  await onPage(browser, `${url}/#${open}`, {viewport, colorScheme}, async (page) => {
    await show(page, facts);
    await page.evaluate(() => document.activeElement?.blur());
    await picture(page, facts.page);
    await judge(page, facts.page);
  });
}
