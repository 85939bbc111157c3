import { expect, it } from '@jest/globals';
import type { GrantStore, ReadAnswer } from '../../../lib/grants/grant-store.js';
import { joinReads } from '../../../lib/grants/join-reads.js';

function stage() {
  const asked: string[] = [];
  const read: GrantStore['read'] = (grantId, resource): Promise<ReadAnswer> => {
    asked.push(`${grantId} ${resource}`);
    return asked.length === 4 ? Promise.reject(new Error('down')) : Promise.resolve({ kind: 'alive', version: asked.length, tokens: { accessTokens: {} } });
  };
  return { asked, read: joinReads({ read } as GrantStore) }; // it is asked for nothing else
}

it('many who ask at once are answered by one read for each grant and resource', async () => {
  const { asked, read } = stage();
  const answers = await Promise.all([read('a', ''), read('a', ''), read('b', ''), read('a', 'x')]).catch(() => []);
  expect(asked).toEqual(['a ', 'b ', 'a x']);
  expect(answers.map((answer) => answer.kind === 'alive' && answer.version)).toEqual([1, 1, 2, 3]);
});

it('promise 4: who asks once a read is on its way gets one of their own, also after one that failed', async () => {
  const { asked, read } = stage();
  const first = read('a', '');
  await new Promise<void>((resolve) => process.nextTick(resolve));
  expect(asked).toHaveLength(1);
  expect(await Promise.all([first, read('a', '')])).toMatchObject([{ version: 1 }, { version: 2 }]);
  await read('a', '');
  await expect(Promise.all([read('a', ''), read('a', '')])).rejects.toThrow('down');
  expect(await read('a', '')).toMatchObject({ version: 5 });
});
