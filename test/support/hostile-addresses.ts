/**
 * Return addresses of an attacker, as they reach us after the query was decoded: curated by what went wrong in this field (open redirects,
 * parsers that disagree, routes in disguise), and multiplied over hosts, separators and wrappings. None of them may lead away from the
 * app, and none back onto its own routes.
 */

export interface Here {
  /** Of the app: `https` or `http`. */
  readonly scheme: string;
  /** Of the app, with its port if it has one. */
  readonly host: string;
}

const evil = 'evil.example';

/** A host of somebody else, in spellings that checks by prefix, suffix or pattern take for ours. */
const foreignHosts = ({ host }: Here): string[] => [
  evil, `${evil}:443`, `${evil}.`, 'EVIL.EXAMPLE', 'ev\u00aduil.example', '\u24d4vil.example', 'evil\u3002example', 'xn--evil-abc.example', `user:pass@${evil}`,
  `${host}.${evil}`, `${host}@${evil}`, `${host}:x@${evil}`, `${host}%40${evil}`, `${host}%2f@${evil}`, `${host}%5c@${evil}`, `${host}\\.${evil}`, `${host}\\@${evil}`,
  `${host}%2e${evil}`, `${host}%00.${evil}`, `${host}&@${evil}`, `${host}#@${evil}`, `${host}?@${evil}`, `x${host}`, `sub.${host}`, `${host}x`,
  `${evil}#${host}`, `${evil}?${host}`, `${evil}/${host}`, `${evil};${host}`, `${evil}%23.${host}`, `${evil}%00.${host}`, `${evil}\\.${host}`, `${evil}\\@${host}`,
  `user@${host}`, `:x@${host}`, '[::1]', '[::ffff:127.0.0.2]', '127.1.1.1', '2130706434', '0x7f000002', '0177.0.0.2', 'localhost.evil.example', '169.254.169.254',
];

/** What stands before a host so that a browser takes it for one, in at least one reading. */
const openings = [
  '//', '///', '////', '/////', '\\\\', '\\/', '/\\', '/\\/', '\\/\\/', '/\\\\', '\\\\\\', '/\t/', '/\n/', '/\r/', '/\r\n/', '\t//', '\n//', ' //', '\u0000//', '\u000b//', '/\u0009\\',
  '/%09/', '/%0a/', '/%0d/', '/%5c', '/%2f', '%2f%2f', '%5c%5c', '/.//', '/..//', '/../..//', '/./\\', '/.%2f/', '/%2e%2e//', '/;//', '/?//', '/#//', '\u00a0//', '\u2028//', '\u3000//', '\ufeff//',
  '//;@', '//%', '//:', '//@', '//%20@', '//\u2044', '/\u2215/', '\uff0f\uff0f', '/\uff3c', './/', '..//', 'x//', ':', '@', ';//', '?', '#',
];

const schemes = ({ scheme }: Here): string[] => {
  const others = scheme === 'https' ? ['http'] : ['https'];
  return [scheme, ...others, scheme.toUpperCase(), 'hTtPs', 'HtTp', 'ftp', 'ws', 'wss', 'file', 'blob:https', 'view-source:https', 'x-evil', 'gopher'].flatMap((name) => [
    `${name}://`, `${name}:`, `${name}:/`, `${name}:///`, `${name}:\\\\`, `${name}:/\\`, `${name}:\\/`, `${name}:\t//`, `${name}:/\n/`, `${name}%3a//`, `${name}\t://`,
  ]);
};

const curated = ({ scheme, host }: Here): string[] => [
  // scripts and documents in an address
  'javascript:alert(1)', 'JavaScript:alert(1)', `javascript://${host}/%0aalert(1)`, `javascript://${host}/\nalert(1)`, 'javascript:/**/alert(1)', 'jav\tascript:alert(1)', 'jav\nascript:alert(1)',
  '\u0001javascript:alert(1)', ' javascript:alert(1)', 'javascript\t:alert(1)', 'javascript&colon;alert(1)', '&#106;avascript:alert(1)', 'javascript%3aalert(1)', 'java\u0000script:alert(1)',
  'data:text/html,<script>alert(1)</script>', 'data:text/html;base64,PHN2Zz4=', 'data:,x', 'vbscript:msgbox(1)', `blob:${scheme}://${host}/6f1f7a0e`, `filesystem:${scheme}://${host}/x`,
  'about:blank', 'about:srcdoc', 'file:///etc/passwd', 'file://localhost/etc/passwd', `mailto:a@${host}`, 'tel:1', 'sms:1', `intent://${host}/#Intent;end`, `ms-word:ofe|u|${scheme}://${host}`,
  'x:y', ':', '::', 'a:b:c', 'localhost:3000', host, 'C:\\Windows', '\\\\server\\share', '//server/share',
  // answers in an answer
  '/page\r\nSet-Cookie: a=b', '/page\nLocation: https://evil.example', '/page\r\n\r\n<script>alert(1)</script>', '/page%0d%0aSet-Cookie:%20a=b', '/page\u560d\u560aSet-Cookie:a', '/page\u0000', '/pa\u0000ge',
  '/page\t', '/page\u007f', '/page\u0085', '/page\u2028', '/"><script>alert(1)</script>', "/'onmouseover='alert(1)", '/page"', '/page<!--', '/{{7*7}}', '/${7*7}', '/page?x=<svg/onload=alert(1)>',
  // what does not parse, or is not honest text
  '%', '/%', '/%zz', '/%e', '/page%', '/%c0%af', '/%u002f', '/%%32%66', 'http://[', 'https://[::', 'https://', 'https://%', `${scheme}://exa mple.com`, `${scheme}://${host}:99999/`, `${scheme}://${host}:port/`,
  `${scheme}://${host}:-1/`, `${scheme}:// ${host}/`, '//', '///', '//:', '//%', '//@', '//?', '//#', '\\', '\\\\', '/\\', '/\ud800', '/\udfff/x', '/page?x=\ud800', '\ud800', '', ' ', '\t', '\u0000',
  '/'.repeat(2100), `/${'x'.repeat(2100)}`, `/${'ü'.repeat(1000)}`, '/%25'.repeat(600), '../'.repeat(600), '[object Object]', 'undefined', 'null', 'NaN', '__proto__', 'constructor',
];

/** Our own routes in disguise. */
const routes = ({ scheme, host }: Here): string[] => {
  const disguises = (name: string): string[] => {
    const [first, rest] = [name.slice(0, 1), name.slice(1)];
    const hex = first.charCodeAt(0).toString(16);
    return [
      `/${name}`, `/${name}/`, `/${name}//`, `/${name}?a=b`, `/${name}#x`, name, `./${name}`, `x/../${name}`, `/${name.toUpperCase()}`, `/${first.toUpperCase()}${rest}`, `/%${hex}${rest}`, `/%25${hex}${rest}`,
      `/%2525${hex}${rest}`, `/%252525252525252525${hex}${rest}`, `/${name};x=1`, `/${name};`, `/;x/${name}`, `/${name}%3bx`, `/.//${name}`, `/x/../${name}`, `/x/%2e%2e/${name}`, `/x/%2E./${name}`,
      `/x%2f..%2f${name}`, `/x%5c..%5c${name}`, `/%2f${name}`, `/%2e/${name}`, `/%5c${name}`, `/x/..;/${name}`, `/${name}%2f`, `/${name}%3freturnTo=x`, `/${name}%23x`, `/${name}/.`, `/${name}/x/..`,
      `//${host}/${name}`, `//${host}//${name}`, `${scheme}://${host}/${name}`, `${scheme.toUpperCase()}://${host.toUpperCase()}/${name}`, `${scheme}:${name}`, `${scheme}:/${name}`, `${scheme}://${host}/x/../${name}?y#z`,
    ];
  };
  return ['login', 'callback', 'logout'].flatMap(disguises);
};

/** Every one once. */
export function hostileAddresses(here: Here): string[] {
  const hosts = foreignHosts(here);
  const addresses = [
    ...hosts.flatMap((host) => ['//', '/\\', 'https://', '\\\\', '/\t/'].map((opening) => `${opening}${host}/x`)),
    ...openings.flatMap((opening) => [`${opening}${evil}`, `${opening}${evil}/%2f..`]),
    ...schemes(here).flatMap((scheme) => [`${scheme}${evil}`, `${scheme}${here.host}@${evil}/`]),
    ...curated(here),
    ...routes(here),
  ];
  return [...new Set(addresses)];
}

/** The same once more as a careless app or proxy would hand it on: encoded once more, decoded once more, below another path or in a query. */
export function wrapped(address: string): string[] {
  const text = address.replaceAll(/\p{Cs}/gu, '\ufffd');
  return [encodeURI(text), encodeURIComponent(text), encodeURIComponent(encodeURIComponent(text)), decoded(text), `/${address}`, `x/${address}`, `/x?${address}`];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return unescape(text); // eslint-disable-line @typescript-eslint/no-deprecated -- as careless code does
  }
}
