// Server-sent events from pieces of text, cut anywhere.

export class EventParser {
  #rest = '';
  #name = '';
  #data = [];

  // The events that this piece completes: [{name, data}].
  push(piece) {
    const whole = [];
    // A long line comes in many pieces: only the new one is searched for its end.
    if (!piece.includes('\n')) {
      this.#rest += piece;
      return whole;
    }
    const lines = (this.#rest + piece).split('\n');
    this.#rest = lines.pop();
    for (const line of lines) {
      if (line === '') {
        if (this.#data.length > 0) whole.push({name: this.#name || 'message', data: this.#data.join('\n')});
        this.#name = '';
        this.#data = [];
      } else if (line.startsWith('event:')) {
        this.#name = line.slice(6).trim();
      } else if (line.startsWith('data:')) {
        this.#data.push(line.slice(line[5] === ' ' ? 6 : 5));
      }
    }
    return whole;
  }
}
