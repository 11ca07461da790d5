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
  #wasLetIn = false; // this connection had its welcome
  #owed = []; // the numbers of those who asked to resume while there was no connection

  /** `hear` gets each frame as text and read, `lose` what to say of a cut, `seen` tells the last numbers, or null. */
  constructor({ hear, lose, seen }) {
    Object.assign(this, { hear, lose, seen });
  }

  open() {
    clearTimeout(this.#retry);
    if (this.#socket) return;
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/ws`);
    this.#socket = socket;
    this.#asked = null;
    this.#wasLetIn = false;
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

  /** Asks for what came after `events`, the last numbers that somebody saw: at the latest with the next welcome. */
  resume(events) {
    if (this.#isOpen) this.#send({ action: "resume", events });
    else this.#owed.push(events);
  }

  get #isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  #send(request) {
    this.#socket.send(JSON.stringify(request));
  }

  #onMessage(text) {
    this.#expect();
    const frame = JSON.parse(text);
    const seen = frame.type === "welcome" ? this.seen() : null;
    this.hear(text, frame);
    if (frame.type === "welcome") this.#onWelcome(frame, seen);
    if (frame.type === "error" && frame.code === "unavailable") this.#giveUp(); // what was asked for is asked again
  }

  #onWelcome(frame, seen) {
    this.#wasLetIn = true;
    this.#heartbeatSeconds = frame.heartbeat_seconds;
    this.#waitSeconds = FIRST_WAIT_SECONDS;
    this.#subscribe();
    const owed = [seen, ...this.#owed.splice(0)].filter(Boolean);
    if (owed.length) this.resume(lowest(owed));
  }

  /** Says what has changed of what is wanted. The first subscribe of a connection replaces everything and none leads
      back to it: whoever wants all again begins anew. */
  #subscribe() {
    const [asked, wanted] = [this.#asked, this.#wanted];
    if (!this.#isOpen || asked === wanted) return;
    if (wanted === null) return this.#openAnew();
    this.#asked = wanted;
    const more = [...wanted].filter((ticker) => !asked?.has(ticker));
    const less = asked ? [...asked].filter((ticker) => !wanted.has(ticker)) : [];
    if (more.length) this.#send({ action: "subscribe", tickers: more });
    if (less.length) this.#send({ action: "unsubscribe", tickers: less });
  }

  #openAnew() {
    this.close();
    this.open();
  }

  #expect() {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#giveUp(), this.#heartbeatSeconds * MISSED_HEARTBEATS * 1000);
  }

  /** Tries again later. Whoever says nothing any more answers no close either: it is not waited for. */
  #giveUp() {
    const last = this.#socket;
    this.#onClose(null);
    last?.close();
  }

  #onClose(code) {
    clearTimeout(this.#silence);
    this.#socket = null;
    if (code === CREDENTIAL_ENDED && this.#wasLetIn) return this.open(); // a new password gives the session a new key
    if (code === CREDENTIAL_ENDED) return this.lose({ signedOut: true });
    const seconds = this.#waitSeconds * (0.75 + Math.random() / 2);
    this.#waitSeconds = Math.min(this.#waitSeconds * 2, LONGEST_WAIT_SECONDS);
    this.#retry = setTimeout(() => this.open(), seconds * 1000);
    this.lose({ retryAt: Date.now() + seconds * 1000 });
  }
}

/** Of each stream the lowest of several last numbers seen. */
function lowest(numbers) {
  const least = (stream) => Math.min(...numbers.map((seen) => seen[stream]));
  return Object.fromEntries(Object.keys(numbers[0]).map((stream) => [stream, least(stream)]));
}
