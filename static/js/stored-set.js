// Set of strings, kept in sessionStorage for as long as the tab is open.

const MAX_VALUES = 50;

export class StoredSet {
  constructor(key) {
    this.key = `microblog.${key}`;
  }

  read() {
    try {
      return JSON.parse(sessionStorage.getItem(this.key)) ?? [];
    } catch {
      return [];
    }
  }

  write(values) {
    try {
      sessionStorage.setItem(this.key, JSON.stringify(values.slice(-MAX_VALUES)));
    } catch {
      // Storage may be full or forbidden. At worst a toast is shown twice.
    }
  }

  has(value) {
    return this.read().includes(value);
  }

  add(value) {
    if (!this.has(value)) this.write([...this.read(), value]);
  }

  retain(predicate) {
    this.write(this.read().filter(predicate));
  }
}
