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

// Pixels between two parts of the width in which the result differs from the photo.
const changed = (page, from, to) => page.evaluate(([low, high]) => {
  const [before, after] = ['.layer:not(.after)', '.layer.after'].map((name) => {
    const image = document.querySelector(name);
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0);
    return context.getImageData(0, 0, canvas.width, canvas.height);
  });
  let pixels = 0;
  for (let i = 0; i < before.data.length; i += 4) {
    const x = i / 4 % before.width / before.width;
    if (x >= low && x < high && [0, 1, 2].some((c) => before.data[i + c] !== after.data[i + c])) pixels++;
  }
  return pixels;
}, [from, to]);

async function editAgain(page) {
  await page.evaluate(() => document.querySelector('.thumbs').replaceChildren());
  await edit(page).click();
  await page.locator('.thumb').first().waitFor();
  assert.equal(await page.locator('.layer.after').evaluate((image) => `${image.naturalWidth}x${image.naturalHeight}`), '451x300');
}

const brushAt = async (page, x, y) => {
  await page.locator('.brush').evaluate((canvas) => canvas.scrollIntoView({block: 'center'}));  // not under the bar
  const box = await page.locator('.brush').boundingBox();
  return [box.x + box.width * x, box.y + box.height * y];
};

async function startMasked(page, photo) {
  await page.getByLabel(/Drop a photo here/).setInputFiles(photo);
  await page.getByLabel('Instruction').fill('make it snow');
  await smallSettings(page, 3, 128);
  await page.getByLabel('what I paint').check();
}

export async function paintedEdit(browser, url, {photo}) {
  const allowed = ['400'];  // JPEG is refused
  await onPage(browser, `${url}/#edit`, {allowed}, async (page) => {
    await startMasked(page, photo);
    await edit(page).click();  // nothing is painted, so nothing is sent
    await page.getByText('Paint what may change first.').waitFor();

    // A stroke on the left, and a slip on the right that is wiped away.
    await page.mouse.move(...await brushAt(page, 0.2, 0.2));
    await page.mouse.down();
    await page.mouse.move(...await brushAt(page, 0.2, 0.8), {steps: 6});
    await page.mouse.up();
    await page.mouse.click(...await brushAt(page, 0.8, 0.5));
    await page.getByRole('button', {name: 'Erase', exact: true}).click();
    await page.getByLabel('Brush size').fill('20');
    await page.mouse.click(...await brushAt(page, 0.8, 0.5));
    await picture(page, 'brush', {fullPage: true});
    await judge(page, 'brush');
    await editAgain(page);
    assert.ok(await changed(page, 0.1, 0.3) > 4000);
    assert.equal(await changed(page, 0.32, 1), 0);

    // The line can be moved again: the brush lies aside until it is taken up.
    assert.ok(!await page.locator('.brush').isVisible());
    await page.getByLabel('Before and after').focus();
    await page.keyboard.press('End');
    assert.equal(await cut(page), '100%');

    // By keys alone: a dab and a stroke from the middle to the right.
    await page.getByRole('button', {name: 'Paint', exact: true}).click();
    await page.getByRole('button', {name: 'Clear', exact: true}).click();
    await page.locator('.brush').focus();
    await page.keyboard.press('[');
    for (let i = 0; i < 2; i++) await page.keyboard.press('ArrowRight');
    await page.keyboard.press(' ');
    await page.getByText('The brush is down and paints.').waitFor({state: 'attached'});
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press(' ');
    await editAgain(page);
    assert.equal(await changed(page, 0, 0.4), 0);
    assert.ok(await changed(page, 0.5, 1) > 2000);

    // Undo takes the last stroke, and then nothing is left to send.
    await page.getByRole('button', {name: 'Erase', exact: true}).click();
    await page.getByRole('button', {name: 'Undo', exact: true}).click();
    await edit(page).click();
    await page.getByText('Paint what may change first.').waitFor();

    // The model finds a mask, which can be kept. The file has to be one that loses nothing.
    await page.getByLabel('what the model finds').check();
    await editAgain(page);
    const link = page.locator('.thumb a', {hasText: 'Mask of'});
    const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
    assert.match(download.suggestedFilename(), /^mask-\d+\.png$/);
    await page.getByLabel('File', {exact: true}).selectOption('webp');
    await editAgain(page);
    await page.getByLabel('File', {exact: true}).selectOption('jpeg');
    await edit(page).click();
    await page.getByText('a masked edit keeps pixels as they are').waitFor();
    await judge(page, 'masked edit');
  });
}

export async function paintingOnAPhone(browser, url, {photo}) {
  await onPage(browser, `${url}/#edit`, {viewport: PHONE, colorScheme: 'dark'}, async (page) => {
    await startMasked(page, photo);
    await page.touchscreen.tap(...await brushAt(page, 0.25, 0.5));
    assert.ok(await page.getByRole('button', {name: 'Clear', exact: true}).isEnabled());
    await picture(page, 'brush-phone', {fullPage: true});
    await judge(page, 'brush on a phone');
    await editAgain(page);
    assert.ok(await changed(page, 0.2, 0.3) > 500);
    assert.equal(await changed(page, 0.35, 1), 0);
  });
}
