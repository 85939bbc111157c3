/** A browser that stops at the page with which an authorization server posts its answer, so that a test can change it. */
import type { Browser, Page } from './browser.js';

export interface PostedAnswer {
  /** Where the form goes. */
  action: string;
  /** What is in it. */
  fields: Record<string, string>;
}

/** Follows redirects alone: nobody presses a button. The login needs a `login_hint`. */
export async function untilAnswer(browser: Browser, loginUrl: string): Promise<PostedAnswer> {
  let page: Page = await browser.get(loginUrl, { follow: false });
  while (page.headers.location !== undefined) {
    page = await browser.get(new URL(page.headers.location, page.url), { follow: false, from: loginUrl });
  }
  const fields = [...page.text.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)].map(([, name, value]): [string, string] => [name!, value!]);
  const action = /<form\b[^>]*\baction="([^"]*)"/.exec(page.text)?.[1];
  if (action === undefined || fields.length === 0) throw new Error(`no form_post, but ${page.status}: ${page.text.slice(0, 300)}`);
  return { action, fields: Object.fromEntries(fields) };
}
