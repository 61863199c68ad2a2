// The gateway's JSON API: answers, errors as exceptions, and events read from a response as they come.

import {EventParser} from './event_parser.js';

export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

// Called when a token is wanted; resolves when there is one.
let askForToken = async () => {};
export function onTokenWanted(ask) {
  askForToken = ask;
}

async function errorOf(response) {
  let error = {code: 'UNKNOWN', message: `the gateway answered ${response.status}`};
  try {
    error = (await response.json()).error ?? error;
  } catch { /* no JSON: the status has to do */ }
  return new ApiError(response.status, error.code, error.message);
}

async function send(path, init) {
  for (;;) {
    let response;
    try {
      response = await fetch(path, init);
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      throw new ApiError(0, 'UNAVAILABLE', 'the gateway can\'t be reached');
    }
    if (response.status === 401 && !path.endsWith('/login')) {
      await askForToken();
      continue;
    }
    if (!response.ok) throw await errorOf(response);
    return response;
  }
}

function withBody(method, body) {
  if (body instanceof FormData) return {method, body};
  return {method, body: JSON.stringify(body ?? {}), headers: {'Content-Type': 'application/json'}};
}

export async function get(path) {
  return (await send(path)).json();
}

export async function post(path, body) {
  return (await send(path, withBody('POST', body))).json();
}

export async function remove(path) {
  return (await send(path, {method: 'DELETE'})).json();
}

// Calls take(name, data) for each event; resolves when the stream ends. An event "error" becomes an ApiError.
export async function events(path, {body, signal, id, take}) {
  const init = body ? withBody('POST', body) : {};
  init.headers = {...init.headers, Accept: 'text/event-stream'};
  if (id) init.headers['X-Request-Id'] = id;
  init.signal = signal;
  const response = await send(path, init);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const parser = new EventParser();
  for (;;) {
    const {value, done} = await reader.read();
    if (done) return;
    for (const event of parser.push(value)) {
      const data = JSON.parse(event.data);
      if (event.name === 'error') throw new ApiError(0, data.error.code, data.error.message);
      take(event.name, data);
    }
  }
}

// What a page says of an error.
export function words(error) {
  return error instanceof ApiError ? error.message : `the page has a fault: ${error.message}`;
}

export function pictureUrl(image) {
  const bytes = Uint8Array.from(atob(image.data), (c) => c.charCodeAt(0));
  return URL.createObjectURL(pictureBlob(bytes, image.format));
}

export function pictureBlob(bytes, format) {
  return new Blob([bytes], {type: `image/${format ?? 'png'}`});
}
