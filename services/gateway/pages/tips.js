// What to try when an edit is not what one hoped for.

import {h} from './dom.js';

const TIPS = [
  ['Too little changes', 'Raise the text scale, or lower the image scale: the one listens to the words, the other holds on to the photo. Small moves of the image scale (0.1) do much.'],
  ['Too much changes', 'The other way round: raise the image scale first, then lower the text scale.'],
  ['Too much of the photo changes', 'Under “What may change”, paint over what the instruction is about, or let the model find it; the rest then keeps every pixel.'],
  ['Nearly right', 'Keep both scales and draw other seeds. Some of them agree with a photo, some do not.'],
  ['Not understood', 'Say it in other words. “Turn him into a dog”, “make him a dog” and “as a dog” lead to different pictures.'],
  ['Soft or unfinished', 'Take more steps; below 20 most samplers leave something undone.'],
  ['Faces look wrong', 'A face of few pixels is lost when the photo is encoded. Crop the photo so that it fills more of the frame, or take a longer side.'],
  ['Not sure which way', 'Make a grid of scales: it shows all of them at once, with one seed.'],
];

export function tips() {
  return h('details', {class: 'card'}, h('summary', {}, h('h2', {}, 'When an edit fails')),
    h('dl', {class: 'tips'}, TIPS.map(([when, what]) => [h('dt', {}, when), h('dd', {}, what)]).flat()));
}
