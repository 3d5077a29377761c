// SPDX-License-Identifier: BSD-3-Clause
// What users of memjs do; it speaks the binary protocol. memjs.js ADDRESS
'use strict';
const assert = require('node:assert');
const memjs = require('memjs');

let checks = 0;
const check = (name, condition) => {
  assert(condition, name + ' is wrong');
  checks++;
};

async function main() {
  const c = memjs.Client.create(process.argv[2], {timeout: 5});
  await c.flush();
  check('miss', (await c.get('user')).value === null);
  check('set', await c.set('user', 'ada', {expires: 600}));
  check('get', (await c.get('user')).value.toString() === 'ada');
  const large = Buffer.alloc(900000, 'xyz');
  check('large', await c.set('large', large, {}));
  check('large back', (await c.get('large')).value.equals(large));
  check('add', await c.add('lock', 'x', {expires: 60}));
  check('add twice', !await c.add('lock', 'y', {}));
  check('replace', await c.replace('lock', 'z', {}));
  check('replace none', !await c.replace('none', 'z', {}));
  check('delete', await c.delete('lock'));
  check('delete twice', !await c.delete('lock'));
  check('incr new', (await c.increment('n', 1, {initial: 10})).value === 10);
  check('incr', (await c.increment('n', 5, {initial: 0})).value === 15);
  check('decr', (await c.decrement('n', 100, {initial: 0})).value === 0);
  await c.set('text', 'b', {});
  check('append', await c.append('text', 'c'));
  check('joined', (await c.get('text')).value.toString() === 'bc');
  check('touch', await c.touch('text', 500));
  check('touch none', !await c.touch('none', 500));
  const sets = [];
  for (let i = 0; i < 200; i++)
    sets.push(c.set('k' + i, String(i), {}));
  check('many', (await Promise.all(sets)).every((done) => done));
  const gets = [];
  for (let i = 0; i < 300; i++)
    gets.push(c.get('k' + i));
  const found = (await Promise.all(gets)).filter((got) => got.value !== null);
  check('many back', found.length === 200);
  const stats = await new Promise((done, fail) => c.stats(
      (error, server, table) => error ? fail(error) : done(table)));
  check('stats', Number(stats.curr_items) > 200);
  check('left', await c.set('left-behind', 'by memjs', {expires: 600}));
  c.close();
  console.log(checks + ' checks');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
