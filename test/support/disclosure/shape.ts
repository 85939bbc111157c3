/** THREATS I3: what our own error answers may hold, whichever suite caused them. */

const PROBLEM_MEMBERS = ['code', 'correlationId', 'detail', 'login', 'status', 'title'];
const CODE = /^ERR_CODE_FLOW_[A-Z_]+$/;
/** A line of a stack, a module's path, an error of the platform, a reply of Redis, a host and port. */
const INSIDES = /\bat .+:\d+:\d+|node_modules|node:internal|\bE(CONN|PIPE|HOST|NOTFOUND|TIMEDOUT)[A-Z]*\b|\b(WRONGPASS|NOAUTH|NOPERM|OOM|MISCONF|READONLY) |\b127\.0\.0\.1:\d+/;

/** What is wrong with this answer of an app; `undefined`: nothing, or it is not one of our error answers. */
export function misshapen(status: number, head: string, body: string): string | undefined {
  if (status < 400 || body === '') return undefined;
  const [, type = ''] = /^content-type: ([^;\r\n]+)/im.exec(head) ?? [];
  if (type === 'application/problem+json') return misshapenProblem(status, JSON.parse(body) as Record<string, unknown>);
  if (type !== 'text/html' || !body.includes('ERR_CODE_FLOW_')) return undefined;
  return insides(body.replaceAll(/(href|action|value)="[^"]*"/g, ''));
}

function misshapenProblem(status: number, problem: Record<string, unknown>): string | undefined {
  const unexpected = Object.keys(problem).filter((name) => !PROBLEM_MEMBERS.includes(name));
  if (unexpected.length > 0) return `a member ${unexpected.join(', ')}`;
  const { code, correlationId, detail = '', login = '', title } = problem;
  if (problem['status'] !== status) return 'another status';
  if (typeof code !== 'string' || !CODE.test(code)) return 'no code of ours';
  if (typeof title !== 'string' || typeof detail !== 'string' || typeof login !== 'string') return 'a member that is no text';
  if (typeof correlationId !== 'string' || !/^[\w.-]{1,64}$/.test(correlationId)) return 'no correlation id';
  return insides(`${title} ${detail}`);
}

const insides = (text: string): string | undefined => (INSIDES.test(text) ? `"${INSIDES.exec(text)?.[0] ?? ''}"` : undefined);
