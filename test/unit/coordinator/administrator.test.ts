import { expect, test } from 'vitest';
import { createLogger } from '../../../common/runtime/logger.ts';
import { greetAdministrator } from '../../../coordinator/administrator.ts';

const coordinator = {
  url: 'http://127.0.0.1:7070',
  adminLink: 'http://127.0.0.1:7070/#token=cft_secret',
  adminTokenFile: '/data/keys/admin-token',
};

function greeting(isTTY: boolean): { shown: string; logged: string } {
  let [shown, logged] = ['', ''];
  const logger = createLogger({ level: 'info', destination: { write: (line: string) => void (logged += line) } });
  greetAdministrator(coordinator, { terminal: { isTTY, write: (text: string) => (shown += text) }, logger });
  return { shown, logged };
}

test('on a terminal the link is shown and nothing is logged', () => {
  expect(greeting(true)).toEqual({
    shown: 'camfleet runs. Open http://127.0.0.1:7070/#token=cft_secret\n',
    logged: '',
  });
});

test("without one the log names the token's file and never the token", () => {
  const { shown, logged } = greeting(false);
  expect(shown).toBe('');
  expect(JSON.parse(logged)).toMatchObject({ url: 'http://127.0.0.1:7070', file: '/data/keys/admin-token' });
  expect(logged).not.toContain('cft_secret');
});
