/** `apis`: the only places that get a token. */
import type { ApiOptions, ResolvedApi } from '../types.js';
import { type Check, type Checks, listOf, optional, readTable, refuse, show, text } from './check.js';
import { readScope } from './provider.js';
import { readProviderName } from './providers.js';
import { readUrl, refuseHttp, refuseQuery } from './url.js';

const readApiUrl: Check<URL> = (value, path) => {
  const url = readUrl(value, path, 'the URL under which an API lives, such as "https://api.example.com/v1/"');
  refuseQuery(url, path);
  refuseHttp(url, path, 'A token never travels over plain http: use https.');
  url.pathname = url.pathname.replace(/\/*$/, '/'); // `/v1` stands for `/v1` and all below, never for `/v10`
  return url;
};

/** RFC 8707 §2: an absolute URI without a fragment. */
const readResource: Check<string> = (value, path) => {
  const resource = text('an absolute URI, such as "https://api.example.com"')(value, path);
  if (!URL.canParse(resource) || resource.includes('#')) refuse(path, `must be an absolute URI without a fragment (RFC 8707); got ${show(resource)}`);
  return resource;
};

export const apiChecks = {
  url: readApiUrl,
  resource: optional(readResource),
  scope: optional(readScope),
  provider: optional(readProviderName),
} satisfies Checks<ApiOptions>;

const readApi: Check<ResolvedApi> = (value, path) => {
  if (typeof value === 'string') return { url: readApiUrl(value, path), resource: undefined, scope: undefined, provider: undefined };
  const api = readTable(apiChecks, value, path);
  if (api.scope !== undefined && api.resource === undefined) {
    const problem = `has no effect without \`${path}.resource\`: only a token of its own can have a scope of its own`;
    refuse(`${path}.scope`, problem, 'ERR_CODE_FLOW_OPTION_CONFLICT');
  }
  return api;
};

export const readApis: Check<readonly ResolvedApi[]> = (value, path) => {
  const apis = listOf(readApi)(value, path);
  for (const [index, api] of apis.entries()) {
    const first = apis.findIndex((other) => other.url.href === api.url.href);
    const problem = `has the same URL as \`${path}[${first}]\`: ${show(api.url.href)}`;
    if (first < index) refuse(`${path}[${index}]`, problem, 'ERR_CODE_FLOW_OPTION_CONFLICT');
  }
  return apis;
};
