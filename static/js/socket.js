/* The connection to the server: opened again after a cut, later each time and never at the same moment as everybody
   else's; closed when its heartbeats stay away. What was missed is asked for by the last numbers seen. */

const FIRST_WAIT_SECONDS = 1;
const LONGEST_WAIT_SECONDS = 30;
const CREDENTIAL_ENDED = 4401;
const MISSED_HEARTBEATS = 2;
const MOST_TICKERS = 1000; // that one subscribe may name; whoever wants more gets all

export class LiveSocket {
  #socket = null;
  #waitSeconds = FIRST_WAIT_SECONDS;
  #heartbeatSeconds = 15;
  #silence = null;
  #retry = null;
  #wanted = null; // the tickers asked for; null is all
  #asked = null; // the tickers that the server knows of; null is all

  /** `hear` gets each frame as text and read, `lose` what to say of a cut, `seen` tells the last numbers, or null. */
  constructor({ hear, lose, seen }) {
    Object.assign(this, { hear, lose, seen });
  }

  get isOpen() {
    return this.#socket !== null;
  }

  open() {
    clearTimeout(this.#retry);
    if (this.#socket) return;
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/ws`);
    this.#socket = socket;
    this.#asked = null;
    this.#expect();
    socket.addEventListener("message", ({ data }) => { if (socket === this.#socket) this.#onMessage(data); });
    socket.addEventListener("close", ({ code }) => { if (socket === this.#socket) this.#onClose(code); });
  }

  close() {
    clearTimeout(this.#retry);
    clearTimeout(this.#silence);
    const last = this.#socket;
    this.#socket = null;
    last?.close();
  }

  /** Wants `tickers` from now on, a Set; null is all. */
  choose(tickers) {
    this.#wanted = tickers && tickers.size > 0 && tickers.size <= MOST_TICKERS ? tickers : null;
    this.#subscribe();
  }

  /** Asks for what came after `events`, the last numbers that somebody saw. */
  resume(events) {
    this.#send({ action: "resume", events });
  }

  #send(request) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(request));
  }

  #onMessage(text) {
    this.#expect();
    const frame = JSON.parse(text);
    const seen = frame.type === "welcome" ? this.seen() : null;
    this.hear(text, frame);
    if (frame.type === "welcome") this.#onWelcome(frame, seen);
  }

  #onWelcome(frame, seen) {
    this.#heartbeatSeconds = frame.heartbeat_seconds;
    this.#waitSeconds = FIRST_WAIT_SECONDS;
    this.#subscribe();
    if (seen) this.resume(seen);
  }

  /** Says what has changed of what is wanted; the first subscribe of a connection replaces everything. */
  #subscribe() {
    const [asked, wanted] = [this.#asked, this.#wanted];
    if (this.#socket?.readyState !== WebSocket.OPEN || asked === wanted) return;
    this.#asked = wanted;
    if (wanted === null) return this.#send({ action: "subscribe" });
    const more = [...wanted].filter((ticker) => !asked?.has(ticker));
    const less = asked ? [...asked].filter((ticker) => !wanted.has(ticker)) : [];
    if (more.length) this.#send({ action: "subscribe", tickers: more });
    if (less.length) this.#send({ action: "unsubscribe", tickers: less });
  }

  #expect() {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#giveUp(), this.#heartbeatSeconds * MISSED_HEARTBEATS * 1000);
  }

  /** Whoever says nothing any more answers no close either: it is not waited for. */
  #giveUp() {
    const last = this.#socket;
    this.#onClose(null);
    last?.close();
  }

  #onClose(code) {
    clearTimeout(this.#silence);
    this.#socket = null;
    if (code === CREDENTIAL_ENDED) return this.lose({ signedOut: true });
    const seconds = this.#waitSeconds * (0.75 + Math.random() / 2);
    this.#waitSeconds = Math.min(this.#waitSeconds * 2, LONGEST_WAIT_SECONDS);
    this.#retry = setTimeout(() => this.open(), seconds * 1000);
    this.lose({ retryAt: Date.now() + seconds * 1000 });
  }
}
