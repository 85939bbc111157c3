/** Checks of URLs in options. */
import { isLoopback } from '../urls.js';
import { refuse, show, showUrl, text } from './check.js';

/** An absolute http(s) URL without credentials and fragment. `meaning` goes on with "must be …". */
export function readUrl(value: unknown, path: string, meaning: string): URL {
  const input = text(meaning)(value, path);
  if (!URL.canParse(input)) refuse(path, `must be ${meaning}; got ${showUrl(input)}`);

  const url = new URL(input);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') refuse(path, `must be ${meaning}, beginning with https://; got ${showUrl(input)}`);
  if (url.username !== '' || url.password !== '') refuse(path, `must not hold a user name or password; got ${showUrl(input)}`);
  if (input.includes('#')) refuse(path, `must not have a fragment; got ${showUrl(input)}`);
  return url;
}

export function refuseQuery(url: URL, path: string): void {
  if (url.href.includes('?')) refuse(path, `must not have a query; got ${showUrl(url.href)}`);
}

/** Plain http is read and changed by anybody on the way: for this machine only. */
export function refuseHttp(url: URL, path: string, advice: string): void {
  if (url.protocol === 'https:' || isLoopback(url)) return;
  refuse(path, `uses plain http off this machine; got ${show(url.origin)}. ${advice}`, 'ERR_CODE_FLOW_HTTP_REFUSED');
}
