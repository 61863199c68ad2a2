// Edits a photo as a person would: drops it, watches it change, drags the line, cancels the next, makes a grid.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import {judge, onPage, PHONE, picture} from './browser.mjs';

async function dropPhoto(page, photo) {
  const bytes = fs.readFileSync(photo).toString('base64');
  const transfer = await page.evaluateHandle((data) => {
    const made = new DataTransfer();
    made.items.add(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], 'holiday.jpg', {type: 'image/jpeg'}));
    return made;
  }, bytes);
  for (const type of ['dragover', 'drop']) await page.dispatchEvent('.drop', type, {dataTransfer: transfer});
  await page.getByText('holiday.jpg').waitFor();
}

async function smallSettings(page, steps, side) {
  await page.getByLabel('Steps', {exact: true}).fill(String(steps));
  const more = page.locator('details', {hasText: 'More settings'}).first();
  if (!await more.evaluate((details) => details.open)) await more.locator('summary').first().click();
  await page.getByLabel('Longest side, px').fill(String(side));
}

const cut = (page) => page.locator('.layers').evaluate((box) => box.style.getPropertyValue('--cut'));
const edit = (page) => page.getByRole('button', {name: 'Edit', exact: true});
const status = (page) => page.locator('#page-edit [role=status]').first();

export async function editPage(browser, url, {photo}) {
  await onPage(browser, `${url}/#edit`, {}, async (page) => {
    await edit(page).click();  // without a photo nothing is sent
    assert.equal(await page.locator('.thumb').count(), 0);
    await dropPhoto(page, photo);
    await page.getByLabel('Instruction').fill('make it <b>snow</b>');
    await smallSettings(page, 8, 128);
    await page.getByLabel('Pictures').fill('2');
    await edit(page).click();
    // The preview comes before the result, and the bar moves.
    await page.locator('.layer.sketch').waitFor();
    await page.waitForFunction(() => document.querySelector('progress').value > 0);
    await page.locator('.thumb').nth(1).waitFor();
    assert.match(await status(page).textContent(), /^2 made in .* seed \d+, text 7.5, image 1.5/);
    assert.equal(await page.locator('.layer.after').evaluate((image) => image.naturalWidth), 192);

    // The line follows the mouse, and the keys.
    const box = await page.locator('.layers').boundingBox();
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.2, box.y + box.height / 2, {steps: 5});
    await page.mouse.up();
    const dragged = parseInt(await cut(page), 10);
    assert.ok(dragged > 10 && dragged < 30, `the line stands at ${dragged} %`);
    await page.getByLabel('Before and after').focus();
    await page.keyboard.press('End');
    assert.equal(await cut(page), '100%');
    await page.keyboard.press('Home');
    await page.getByLabel('Before and after').fill('50');
    await picture(page, 'edit', {fullPage: true});

    // Its file carries the parameters.
    const [download] = await Promise.all([page.waitForEvent('download'), page.locator('.thumb a').first().click()]);
    assert.match(download.suggestedFilename(), /^edit-\d+\.png$/);
    assert.ok(fs.readFileSync(await download.path()).includes('parameters'));

    // A second one is cancelled, and the page can edit again.
    await smallSettings(page, 500, 128);
    await edit(page).click();
    await page.waitForFunction(() => document.querySelector('progress').value > 0);
    await page.locator('#page-edit .actions').getByRole('button', {name: 'Cancel'}).click();
    await page.getByText('Cancelled.').waitFor();
    assert.ok(await edit(page).isEnabled());

    // The history has both pictures, gives one back as input, and text stays text.
    assert.equal(await page.locator('.history > li').count(), 2);
    assert.equal(await page.locator('.history b').count(), 0);
    await page.getByRole('button', {name: 'Use as input'}).first().click();
    await page.getByText('edit.png').waitFor();
    await page.getByRole('button', {name: 'Use settings'}).last().click();
    assert.ok(!await page.getByLabel('draw each time: Seed').isChecked());
    await judge(page, 'edit');
  });
}

export async function sweepPage(browser, url, {photo}) {
  await onPage(browser, `${url}/#edit`, {}, async (page) => {
    await dropPhoto(page, photo);
    await page.getByLabel('Instruction').fill('make it snow');
    await smallSettings(page, 2, 64);
    await page.locator('summary', {hasText: 'Grid of scales'}).click();
    await page.getByLabel('Text scales, across').fill('3 x');
    await page.getByRole('button', {name: 'Make the grid'}).click();
    await page.getByText('Wants numbers in 0 to 100').waitFor();
    await page.getByLabel('Text scales, across').fill('3, 7.5');
    await page.getByLabel('Image scales, down').fill('1.2, 1.8');
    await page.getByRole('button', {name: 'Make the grid'}).click();
    await page.getByText(/^4 made with seed \d+\.$/).waitFor();
    assert.equal(await page.locator('.sweep .picture').count(), 4);
    await page.getByRole('button', {name: 'text 3, image 1.8', exact: true}).click();
    assert.equal(await page.getByLabel('Text scale', {exact: true}).inputValue(), '3');
    assert.equal(await page.getByLabel('Image scale', {exact: true}).inputValue(), '1.8');
    await page.locator('summary', {hasText: 'When an edit fails'}).click();
    await picture(page, 'sweep', {fullPage: true});
    await judge(page, 'sweep');
  });
}

export async function editOnAPhone(browser, url, {photo}) {
  await onPage(browser, `${url}/#edit`, {viewport: PHONE, colorScheme: 'dark'}, async (page) => {
    await page.getByLabel(/Drop a photo here/).setInputFiles(photo);
    await page.getByLabel('Instruction').fill('make it snow');
    await smallSettings(page, 2, 64);
    await edit(page).tap();
    await page.locator('.thumb').first().waitFor();
    await picture(page, 'edit-phone', {fullPage: true});
    await judge(page, 'edit on a phone');
  });
}
