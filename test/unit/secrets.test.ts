/** Secrets are compared in constant time (THREATS I6), read from the sources themselves. */
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { filesUnder, readText } from '../support/documents.js';

/** What an attacker could find out byte by byte. */
const SECRET = /^(?:state|nonce|codeVerifier|verifier|mac|hmac|signature|digest|secret|clientSecret|accessToken|refreshToken|idToken|token|sessionId|grantId|cookie)s?$/i;

/** Where it is no secret, or nothing depends on it. */
const AGREED = [
  // Both are our own, one from the store and one from memory: nobody outside can offer one.
  'lib/grants/heal.ts: shown.tokens.refreshToken !== tokens.refreshToken',
  'lib/grants/heal.ts: accessTokenFor(shown.tokens, resource)?.token !== accessTokenFor(tokens, resource)?.token',
  'lib/grants/heal.ts: spent === refreshToken',
  'lib/grants/heal.ts: spent !== tokens.refreshToken',
  'lib/grants/held-tokens.ts: before.accessToken?.token === accessTokenFor(known.tokens, resource)?.token',
  // The login has failed by then: this finds the name of the error.
  'lib/provider/login-errors.ts: states[0] !== checks.state',
  // Tells which secret sealed a value, and no more.
  'lib/seal.ts: sealed.subarray(0, HEAD_BYTES).equals(head)',
  // Both are of the one cookie of this request, whose signature was checked.
  'lib/session/app-session.ts: reading.id === sessionId',
  // What is in the store, and what this process wrote a moment ago.
  'lib/session/login-transaction.ts: (await keys.peek(key))?.value.equals(ours)',
  'lib/session/sealed-session-store.ts: earlier.equals(value)',
];

const EQUALITY = new Set([ts.SyntaxKind.EqualsEqualsToken, ts.SyntaxKind.EqualsEqualsEqualsToken, ts.SyntaxKind.ExclamationEqualsToken, ts.SyntaxKind.ExclamationEqualsEqualsToken]);

/** The last name of `a.b.c`, of `a.b[0]`, of `a['b']`. */
function nameOf(node: ts.Expression): string {
  if (ts.isIdentifier(node)) return node.text;
  if (ts.isPropertyAccessExpression(node)) return node.name.text;
  if (ts.isElementAccessExpression(node)) return ts.isStringLiteral(node.argumentExpression) ? node.argumentExpression.text : nameOf(node.expression);
  return ts.isNonNullExpression(node) || ts.isParenthesizedExpression(node) ? nameOf(node.expression) : '';
}

/** Whether something is there, or of a kind, is no secret. */
const isPlain = (node: ts.Expression): boolean =>
  ts.isLiteralExpression(node) || ts.isTypeOfExpression(node) || ['undefined', 'null', 'true', 'false'].includes(node.getText());

function comparisons(path: string): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isBinaryExpression(node) && EQUALITY.has(node.operatorToken.kind) && !isPlain(node.left) && !isPlain(node.right)) {
      if ([node.left, node.right].some((side) => SECRET.test(nameOf(side)))) found.push(`${path}: ${node.getText()}`);
    }
    if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression) && ['equals', 'localeCompare'].includes(node.expression.name.text)) {
      found.push(`${path}: ${node.getText()}`);
    }
    node.forEachChild(visit);
  };
  visit(ts.createSourceFile(path, readText(path), ts.ScriptTarget.ES2023, true));
  return found;
}

describe('I6: secrets', () => {
  it('are never compared with === or the like', () => {
    expect(filesUnder('lib', '.ts').flatMap(comparisons)).toEqual(AGREED);
  });

  it.each([
    ['isSameText', 'lib/session/session-cookie.ts'],
    ['isSameText', 'lib/session/login-transaction.ts'],
    ['isSameText', 'lib/session/logout-return.ts'],
    ['isSameBytes', 'lib/provider/id-token.ts'],
    ['timingSafeEqual', 'lib/constant-time.ts'],
    ['timingSafeEqual', 'lib/seal.ts'],
  ])('are compared by %s in %s', (comparison, path) => {
    expect(readText(path)).toContain(`${comparison}(`);
  });
});
