/** OpenID Connect Core §3.1.2.1: with `openid` in the scope, and only then, there is an ID Token. */
export function asksForIdToken(scope: string): boolean {
  return scope.split(' ').includes('openid');
}
