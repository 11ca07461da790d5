/* One of the browser's tabs leads and keeps the socket; the others hear from it what comes. Who leads holds a lock,
   which the browser gives to the next one when that tab closes, however it closes. A tab that hears nothing for too
   long takes the lock away from a leader that no longer moves. */

const PATIENCE_MILLISECONDS = 45_000; // three heartbeats

export class Tabs {
  #id = crypto.randomUUID();
  #channel = null;
  #waiting = null; // ends the wait for the lock
  #release = null; // gives the lock back; there while this tab leads
  #patience = null;

  static get areThere() {
    return Boolean(navigator.locks && window.BroadcastChannel && window.isSecureContext);
  }

  /**
   * `lead` and `cede` are called when this tab begins and ceases to lead, `hear` with what the leader passes on;
   * of a leader `greet` and `part` with tabs that come and go. `about` tells what the others should know of this tab.
   */
  constructor(name, { lead, cede, hear, greet, part, about }) {
    Object.assign(this, { name, lead, cede, hear, greet, part, about });
  }

  get isLeading() {
    return this.#release !== null;
  }

  join() {
    this.#channel = new BroadcastChannel(this.name);
    this.#channel.addEventListener("message", ({ data }) => this.#onMessage(data));
    this.#tell({ kind: "hello", about: this.about() });
    this.#expect(PATIENCE_MILLISECONDS);
    this.#stand(false);
  }

  leave() {
    this.#tell({ kind: "bye" });
    clearTimeout(this.#patience);
    this.#waiting?.abort();
    this.#release?.();
    this.#channel?.close();
    this.#channel = null;
  }

  /** Tells all others, or the one whose id is `to`. */
  pass(content, to = null) {
    this.#tell({ kind: "pass", content, to });
  }

  #tell(message) {
    this.#channel?.postMessage({ from: this.#id, ...message });
  }

  /** Waits for the lock, or takes it; holds it until it is given back or taken away. */
  async #stand(takes) {
    this.#waiting?.abort();
    this.#waiting = new AbortController();
    const how = takes ? { steal: true } : { signal: this.#waiting.signal };
    try {
      await navigator.locks.request(this.name, how, () => this.#hold());
    } catch (error) {
      if (error.name !== "AbortError") throw error;
      if (!this.isLeading) return; // the wait was ended by ourselves
      this.#cease();
      this.#expect(PATIENCE_MILLISECONDS);
      this.#stand(false);
    }
  }

  #hold() {
    if (!this.#channel) return undefined; // the tab has gone meanwhile
    clearTimeout(this.#patience);
    return new Promise((done) => {
      this.#release = () => { this.#cease(); done(); };
      this.lead();
      this.#tell({ kind: "roll" });
    });
  }

  #cease() {
    this.#release = null;
    this.cede();
  }

  #onMessage({ from, kind, about, content, to }) {
    if (this.isLeading) {
      if (kind === "hello") this.greet(from, about);
      if (kind === "bye") this.part(from);
      return;
    }
    if (kind === "roll") this.#tell({ kind: "hello", about: this.about() }); // a new leader asks who is there
    if (kind !== "pass" || (to !== null && to !== this.#id)) return;
    this.#expect(PATIENCE_MILLISECONDS + Math.max(0, (content.retryAt ?? 0) - Date.now()));
    this.hear(content);
  }

  #expect(milliseconds) {
    clearTimeout(this.#patience);
    this.#patience = setTimeout(() => this.#stand(true), milliseconds);
  }
}
