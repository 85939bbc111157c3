/* global document */
/** Lists where the user is signed in. What a browser calls itself is anybody's text: it is shown as text and nothing else. */
const answer = await fetch('/sessions');
const sessions = answer.ok ? await answer.json() : [];
document.getElementById('sessions').replaceChildren(
  ...sessions.map(({ label, loginAt, lastSeenAt, current }) => {
    const item = document.createElement('li');
    const at = (seconds) => new Date(seconds * 1000).toLocaleTimeString();
    item.textContent = `${current ? 'This browser' : (label ?? 'Another browser')}: since ${at(loginAt)}, last seen ${at(lastSeenAt)}`;
    return item;
  }),
);
