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

/** What a client can put into a header at all (RFC 9110 §5.5, as Node reads it). */
const headerText = fc.string({ unit: fc.integer({ min: 0x20, max: 0xff }).filter((code) => code !== 0x7f).map((code) => String.fromCharCode(code)), maxLength: 200 });

/** Cookies, or what passes for them: known names, repeated, cut, glued, with any value. */
export function cookieHeader(known: readonly string[]): fc.Arbitrary<string> {
  const name = fc.oneof(fc.constantFrom(...known, '', '=', '__proto__', 'constructor'), headerText);
  const value = fc.oneof(headerText, fc.constantFrom('%', '%zz', '%ff', '%00', '"', 's:', 's:.', 's:a.b', '1.', '1.aaaaaa.', '{}', '[]', 'j:{}', 'null', 'x'.repeat(4000)));
  const pair = fc.tuple(name, fc.constantFrom('=', '', '==', ' = '), value).map((parts) => parts.join(''));
  return fc.array(pair, { maxLength: 6 }).chain((pairs) => fc.constantFrom(';', '; ', ',', ';;').map((glue) => pairs.join(glue).slice(0, 12_000)));
}

const queryPiece = fc.oneof(
  fc.string({ unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)), maxLength: 40 }).map((text) => text.replaceAll('#', '')),
  fc.constantFrom('%', '%zz', '%00', '%ff%fe', '%ed%a0%80', '+', '=', '&', '[]', '[0]=', '.', '__proto__', 'x'.repeat(3000)),
);

/** A query of these parameters, as broken as it may be. */
export function queryText(names: readonly string[]): fc.Arbitrary<string> {
  const pair = fc.tuple(fc.oneof(fc.constantFrom(...names), queryPiece), fc.constantFrom('=', '', '=='), queryPiece).map((parts) => parts.join(''));
  return fc.array(pair, { maxLength: 8 }).chain((pairs) => fc.constantFrom('&', ';', '&&', '?').map((glue) => pairs.join(glue).slice(0, 12_000)));
}

export const formBody = fc.oneof(queryText(['code', 'state', 'iss', 'id_token']), fc.string({ unit: 'binary', maxLength: 500 }), fc.json(), fc.nat(20_000).map((length) => 'a=b&'.repeat(length)));

/** The same text, changed in one place at least, still fit for a header. */
export function mutated(text: string): fc.Arbitrary<string> {
  const at = fc.nat(text.length - 1);
  const character = fc.constantFrom(...'ABCxyz019-_.%=; '.split(''));
  return fc
    .oneof(
      fc.tuple(at, character).map(([index, letter]) => text.slice(0, index) + letter + text.slice(index + 1)),
      at.map((index) => text.slice(0, index)),
      at.map((index) => text.slice(index + 1)),
      fc.tuple(at, queryPiece).map(([index, piece]) => text.slice(0, index) + piece + text.slice(index)),
      fc.tuple(at, at).map(([from, to]) => text.slice(0, from) + text.slice(to)),
      fc.constantFrom('', '1', '1.', '1..', 'AgAAAAAAAA', text + text, text.split('').reverse().join(''), text.toUpperCase(), text.toLowerCase()),
    )
    .filter((changed) => !isTheSame(changed, text));
}

/** A cookie ends at a semicolon or a blank. */
const isTheSame = (changed: string, text: string): boolean => decodeSafely(changed.split(';', 1)[0]!.trim()) === decodeSafely(text);

function decodeSafely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const wild = fc.oneof(fc.jsonValue(), fc.string(), fc.constantFrom('bearer', 'Bearer', 'a.b.c', '..', 'eyJhbGciOiJub25lIn0.e30.', -1, 0, 1e308, '1e999', 3600, null, true, {}, []));

const tokenAnswer = fc.record(
  { access_token: fc.oneof(fc.constant('a.b.c'), wild), token_type: fc.oneof({ weight: 3, arbitrary: fc.constant('bearer') }, { weight: 1, arbitrary: wild }), expires_in: wild, refresh_token: wild, id_token: wild, scope: wild, error: wild, error_description: wild, ['__proto__']: wild },
  { requiredKeys: [] },
);

export interface ServerAnswer {
  status: number;
  type: string;
  body: string;
}

/** A server's answer to a token request: any JSON, half of it, a page, bytes. */
export const serverAnswer: fc.Arbitrary<ServerAnswer> = fc.record({
  status: fc.constantFrom(200, 200, 200, 200, 201, 202, 206, 301, 307, 400, 401, 403, 404, 418, 429, 500, 503),
  type: fc.constantFrom('application/json', 'application/json; charset=utf-16', 'text/html', 'text/plain', 'application/jwt', '', 'application/x-www-form-urlencoded'),
  body: fc.oneof(
    { weight: 4, arbitrary: tokenAnswer.map((answer) => JSON.stringify(answer)) },
    { weight: 1, arbitrary: fc.tuple(tokenAnswer, fc.nat(60)).map(([answer, cut]) => JSON.stringify(answer).slice(0, cut)) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
    { weight: 1, arbitrary: fc.json() },
    { weight: 1, arbitrary: fc.nat(400).map((depth) => '['.repeat(depth * 100)) },
  ),
});
