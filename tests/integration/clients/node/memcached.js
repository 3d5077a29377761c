// SPDX-License-Identifier: BSD-3-Clause
// What users of npm's memcached do; it speaks the text protocol.
// memcached.js ADDRESS
'use strict';
const assert = require('node:assert');
const {promisify} = require('node:util');
const Memcached = require('memcached');

let checks = 0;
const check = (name, condition) => {
  assert(condition, name + ' is wrong');
  checks++;
};

async function main() {
  const client = new Memcached(process.argv[2], {poolSize: 4, retries: 1});
  const c = {};
  for (const name of ['get', 'gets', 'set', 'add', 'replace', 'append', 'del',
    'prepend', 'cas', 'incr', 'decr', 'touch', 'getMulti', 'flush', 'version',
    'stats', 'settings', 'slabs', 'items'])
    c[name] = promisify(client[name]).bind(client);
  const no = (promise) => promise.then((done) => !done, () => true);

  await c.flush();
  check('miss', await c.get('user') === undefined);
  check('set', await c.set('user', {name: 'ada', tags: [1, 2]}, 600));
  check('get', (await c.get('user')).tags[1] === 2);
  const large = 'xyz'.repeat(300000);
  check('large', await c.set('large', large, 0));
  check('large back', await c.get('large') === large);
  const bytes = Buffer.from(Array.from({length: 1024}, (_, i) => i % 256));
  check('bytes', await c.set('bytes', bytes, 0));
  check('bytes back', (await c.get('bytes')).equals(bytes));
  check('add', await c.add('lock', 'x', 60));
  check('add twice', await no(c.add('lock', 'y', 60)));
  check('replace', await c.replace('lock', 'z', 60));
  check('replace none', await no(c.replace('none', 'z', 60)));
  check('delete', await c.del('lock'));
  check('delete twice', await no(c.del('lock')));
  await c.set('text', 'b', 0);
  check('append', await c.append('text', 'c'));
  check('prepend', await c.prepend('text', 'a'));
  const got = await c.gets('text');
  check('gets', got.text === 'abc');
  check('cas', await c.cas('text', 'new', got.cas, 0));
  check('cas late', await no(c.cas('text', 'newer', got.cas, 0)));
  await c.set('n', 5, 0);
  check('incr', await c.incr('n', 10) === 15);
  check('decr', await c.decr('n', 100) === 0);
  check('incr none', await c.incr('none', 1) === false);
  check('touch', await c.touch('text', 500));
  const sets = [];
  for (let i = 0; i < 200; i++)
    sets.push(c.set('k' + i, 'v' + i, 0));
  check('many', (await Promise.all(sets)).every((done) => done));
  const keys = Array.from({length: 300}, (_, i) => 'k' + i);
  const found = await c.getMulti(keys);
  check('multi', Object.keys(found).length === 200 && found.k199 === 'v199');
  check('version', /^\d+\.\d+/.test((await c.version())[0].version));
  check('stats', Number((await c.stats())[0].curr_items) > 200);
  check('settings', (await c.settings())[0].maxbytes > 0);
  check('slabs', Object.keys((await c.slabs())[0]).length > 2);
  check('items', Object.keys((await c.items())[0]).length > 1);
  check('left', await c.set('left-behind', 'by memcached.js', 600));
  client.end();
  console.log(checks + ' checks');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
