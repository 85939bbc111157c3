/** What must hold for whatever an attacker sends: the arbitraries and properties that `npm test` runs briefly and `npm run test:soak` at length. */
import fc from 'fast-check';

const pieces = (host: string): fc.Arbitrary<string> =>
  fc.constantFrom(
    ...['/', '\\', '//', ':', '@', '?', '#', '.', '..', '%2f', '%5c', '%2e', '%25', '%', ';', '\t', '\r\n', ' ', '\u0000', '&', '=', '[', ']', '<', '"'],
    ...['https:', 'http:', 'javascript:', 'data:', 'blob:', 'evil.example', host, 'user@', 'login', 'LOGIN', 'callback', 'logout', '%6cogin', '\ud800', '\uff0f', '\u3002'],
  );

/** An address as an attacker writes one: pieces that parsers trip over, any URL, any text. */
export function hostileText(host: string): fc.Arbitrary<string> {
  const ofPieces = fc.array(fc.oneof(pieces(host), fc.string({ unit: 'binary', maxLength: 3 })), { maxLength: 12 }).map((parts) => parts.join(''));
  const long = fc.tuple(pieces(host), fc.integer({ min: 1, max: 5000 })).map(([piece, times]) => piece.repeat(times));
  return fc.oneof({ weight: 5, arbitrary: ofPieces }, { weight: 1, arbitrary: fc.webUrl() }, { weight: 2, arbitrary: fc.string({ unit: 'binary' }) }, { weight: 1, arbitrary: long });
}

/** The route of ours that some router or proxy might take this path for: written without the code under test. */
export function ownRouteIn(pathname: string, routes: readonly string[]): string | undefined {
  let path = pathname;
  for (let round = 0; round < 20; round += 1) path = path.replaceAll(/%([0-7][0-9a-f])/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  const kept: string[] = [];
  for (const segment of path.toLowerCase().replaceAll('\\', '/').replace(/[?#][^]*$/, '').split('/')) {
    const [name = ''] = segment.split(';');
    if (name === '..') kept.pop();
    else if (name !== '' && name !== '.') kept.push(name);
  }
  return routes.find((route) => route === `/${kept.join('/')}`);
}
