/* global document, performance, addEventListener, setInterval, EventSource */
/** What the page does: it asks the app who is there, counts down, and calls the API. It never sees a token. */
const element = (id) => document.getElementById(id);
const body = document.body;

/** Epoch seconds, of the token that was last heard of. */
let expiresAt;
let lifetime = 1;

async function showStatus() {
  const answer = await fetch('/status');
  if (answer.status === 401) return show('signed-out');
  if (!answer.ok) return show('failed');
  const status = await answer.json();
  showUser(status.claims);
  showToken(status);
  show('signed-in');
  listen();
}

/** The app says when the login ends, in whichever window, browser or process that happens. */
let events;
function listen() {
  if (events !== undefined && events.readyState !== EventSource.CLOSED) return;
  events = new EventSource('/events');
  events.addEventListener('signed-out', () => {
    events.close();
    element('ended-elsewhere').hidden = false;
    show('signed-out');
  });
}

function show(state) {
  body.dataset.state = state;
}

function showUser(claims) {
  const name = claims.name ?? claims.sub;
  element('user-name').textContent = name;
  element('initial').textContent = name.charAt(0).toUpperCase();
  element('user-email').textContent = claims.email ?? '';
  element('since').textContent = new Date((claims.auth_time ?? claims.iat) * 1000).toLocaleTimeString();
  element('claims').replaceChildren(...Object.entries(claims).flatMap(([key, value]) => [cell('dt', key), cell('dd', readable(key, value))]));
}

function cell(tag, text) {
  const created = document.createElement(tag);
  created.textContent = text;
  return created;
}

function readable(key, value) {
  if (['iat', 'exp', 'auth_time'].includes(key)) return `${value} (${new Date(value * 1000).toLocaleTimeString()})`;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function showToken({ accessTokenExpiresAt, refreshes }) {
  if (accessTokenExpiresAt !== expiresAt) lifetime = Math.max(1, accessTokenExpiresAt - Date.now() / 1000);
  expiresAt = accessTokenExpiresAt;
  element('refreshes').textContent = String(refreshes);
  element('refreshes-unit').textContent = refreshes === 1 ? 'renewal since you signed in' : 'renewals since you signed in';
  countDown();
}

function countDown() {
  if (expiresAt === undefined) return;
  const left = expiresAt - Date.now() / 1000;
  const expired = left <= 0;
  const dial = element('dial');
  dial.dataset.state = expired ? 'expired' : 'valid';
  dial.style.setProperty('--rest', String(Math.max(0, Math.min(100, (left / lifetime) * 100))));
  element('countdown').textContent = String(Math.abs(Math.ceil(left)));
  element('countdown-unit').textContent = expired ? 'seconds ago' : 'seconds left';
  element('token-note').textContent = expired ? 'Expired. Nothing happens until it is needed: the next call renews it, without a login.' : 'Good for calls to the API.';
}

async function callApi() {
  const button = element('call-api');
  button.disabled = true;
  const started = performance.now();
  try {
    const answer = await fetch('/orders');
    if (answer.status === 401) return show('signed-out');
    element('api-answer').textContent = JSON.stringify(await answer.json(), undefined, 2);
    element('api-status').textContent = `Status ${answer.status}, ${Math.round(performance.now() - started)} ms`;
    await showStatus();
  } catch {
    element('api-status').textContent = 'The app cannot be reached.';
  } finally {
    button.disabled = false;
  }
}

element('call-api').addEventListener('click', callApi);
// A page that comes back from the back/forward cache shows what was true when it was left.
addEventListener('pageshow', (event) => event.persisted && void showStatus());
setInterval(countDown, 200);
showStatus().catch(() => show('failed'));
