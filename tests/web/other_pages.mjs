// Captions, datasets, training and the overview, as a person would use them.

import assert from 'node:assert/strict';
import {judge, onPage, PHONE, picture} from './browser.mjs';

export async function promptsPage(browser, url) {
  await onPage(browser, `${url}/#prompts`, {}, async (page) => {
    await page.getByRole('textbox', {name: 'Caption'}).fill('a red circle on a grass background');
    const once = page.getByRole('button', {name: 'Try it'});
    await once.click();
    await page.locator('.facts dt', {hasText: 'Edited caption'}).waitFor();
    assert.equal(await page.locator('.facts dd').first().textContent(), 'a red circle on a grass background');
    await page.getByRole('textbox', {name: 'Caption'}).fill('nothing that the grammar knows');
    await once.click();
    await page.locator('.facts dt', {hasText: 'Rejected'}).waitFor();
    await picture(page, 'prompts');
    await judge(page, 'prompts');
  });
}

async function tile(page, name) {
  return Number((await page.locator('.tile', {hasText: name}).locator('b').textContent()).replaceAll(',', ''));
}

export async function datasetPage(browser, url) {
  await onPage(browser, `${url}/#dataset`, {}, async (page) => {
    await page.locator('.pairs > li').first().waitFor();
    await page.getByRole('combobox', {name: 'Dataset'}).selectOption('scored');
    await page.locator('.tile', {hasText: 'samples with scores'}).filter({hasText: '240'}).waitFor();
    const kept = await tile(page, 'these thresholds would keep');
    const label = await page.locator('.histogram').nth(2).getAttribute('aria-label');
    // By the keys: a range input is one for everybody.
    await page.getByLabel('Direction, at least').focus();
    for (let i = 0; i < 16; i++) await page.keyboard.press('ArrowLeft');
    await page.waitForFunction(([before, name]) => [...document.querySelectorAll('.tile')]
      .some((t) => t.textContent.includes(name) && parseInt(t.textContent, 10) > before), [kept, 'these thresholds would keep']);
    assert.notEqual(await page.locator('.histogram').nth(2).getAttribute('aria-label'), label);
    await page.getByLabel('Direction, at least').fill('0.6');
    await page.getByText('none', {exact: true}).waitFor();
    assert.equal(await page.locator('.pairs > li').count(), 0);
    await page.getByRole('button', {name: 'Back to the dataset\'s own'}).click();
    await page.locator('.pairs > li').first().waitFor();
    await page.getByLabel('Order').selectOption('best');
    await page.locator('.pairs img').first().evaluate((image) => image.decode());
    await picture(page, 'dataset', {fullPage: true});
    await judge(page, 'dataset');
  });
}

// The job is made by the test, which also gives it a model to promote when it has ended.
export async function trainingPage(browser, url, {job}) {
  await onPage(browser, `${url}/#training/${job}`, {}, async (page) => {
    const view = page.locator('#page-training');
    await page.waitForFunction(() => document.querySelector('#page-training progress')?.value > 3);
    await view.locator('.chart .smooth').waitFor();
    await view.getByRole('button', {name: 'Pause'}).click();
    await view.getByText('Done: pause.').waitFor();
    await view.locator('.chip.paused').first().waitFor();
    await view.getByRole('button', {name: 'Resume'}).click();
    await view.locator('.chip.succeeded').first().waitFor();
    await view.locator('.log', {hasText: 'is done'}).waitFor();
    await view.locator('.thumbs img').first().evaluate((image) => image.decode());
    await view.getByRole('button', {name: /^Promote step/}).first().click();
    await view.getByText(/serves edits now/).waitFor();
    await view.locator('td', {hasText: 'main'}).waitFor();
    await picture(page, 'training', {fullPage: true});
    await judge(page, 'training');
  });
}

export async function overviewPage(browser, url) {
  await onPage(browser, `${url}/#overview`, {}, async (page) => {
    await page.locator('.chip.serving').nth(2).waitFor();
    assert.equal(await page.locator('.flow > li').count(), 4);
    await page.locator('.flow dd').first().waitFor();
    await picture(page, 'overview');
    await judge(page, 'overview');
  });
  // Keys alone reach every page.
  await onPage(browser, `${url}/#overview`, {viewport: PHONE, colorScheme: 'dark'}, async (page) => {
    await page.locator('.chip.serving').first().waitFor();
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
    for (let i = 0; i < 2; i++) await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.locator('#page-prompts:not([hidden])').waitFor();
    await judge(page, 'prompts on a phone');
  });
}

export async function loginPage(browser, url, {token}) {
  const allowed = ['401'];  // what makes the page ask
  await onPage(browser, `${url}/#overview`, {allowed}, async (page) => {
    await page.getByLabel('Token').fill('wrong-wrong-wrong');
    await page.getByRole('button', {name: 'Log in'}).click();
    await page.getByText('the token is unknown').waitFor();
    await judge(page, 'login');
    await page.getByLabel('Token').fill(token);
    await page.getByRole('button', {name: 'Log in'}).click();
    await page.locator('.flow > li').first().waitFor();
    assert.equal(await page.evaluate(() => document.cookie), '');
    await page.getByRole('button', {name: 'Log out'}).click();
    await page.getByLabel('Token').waitFor();
  });
}
