<?php
// SPDX-License-Identifier: BSD-3-Clause
// What PHP's users do with php-memcached, in either protocol.
// php_user.php HOST PORT text|binary

$checks = 0;

function check(string $name, bool $condition): void
{
    global $checks;
    if (!$condition) {
        fwrite(STDERR, "$name is wrong\n");
        exit(1);
    }
    $checks++;
}

[, $host, $port, $protocol] = $argv;
$c = new Memcached();
$c->setOption(Memcached::OPT_BINARY_PROTOCOL, $protocol === 'binary');
$c->setOption(Memcached::OPT_TCP_NODELAY, true);
$c->addServer($host, (int)$port);

check('flush', $c->flush());
check('miss', $c->get('user') === false
      && $c->getResultCode() === Memcached::RES_NOTFOUND);
check('set', $c->set('user', ['name' => 'ada', 'tags' => [1, 2]], 600));
check('get', $c->get('user')['tags'] === [1, 2]);
$page = str_repeat("a page of text\n", 60000);
check('compressed', $c->set('page', $page) && $c->get('page') === $page);
$noise = random_bytes(500000);
check('noise', $c->set('noise', $noise) && $c->get('noise') === $noise);
check('types', $c->setMulti(['i' => 7, 'f' => 1.5, 'b' => true, 's' => 'x']));
check('types back', $c->getMulti(['i', 'f', 'b', 's', 'none'])
      === ['i' => 7, 'f' => 1.5, 'b' => true, 's' => 'x']);
check('add', $c->add('lock', 1) && !$c->add('lock', 2));
check('add says', $c->getResultCode() === Memcached::RES_NOTSTORED
      || $c->getResultCode() === Memcached::RES_DATA_EXISTS);
check('replace', $c->replace('lock', 3) && !$c->replace('none', 1));
check('delete', $c->delete('lock') && !$c->delete('lock'));
$got = $c->get('user', null, Memcached::GET_EXTENDED);
check('cas', $c->cas($got['cas'], 'user', 'new'));
check('cas late', !$c->cas($got['cas'], 'user', 'newer')
      && $c->getResultCode() === Memcached::RES_DATA_EXISTS);
check('set n', $c->set('n', 5));
check('incr', $c->increment('n', 10) === 15 && $c->decrement('n', 100) === 0);
if ($protocol === 'binary') {
    check('incr new', $c->increment('fresh', 1, 40, 60) === 40
          && $c->increment('fresh', 2, 40, 60) === 42);
}
check('incr none', $c->increment('none') === false
      && $c->getResultCode() === Memcached::RES_NOTFOUND);
$c->setOption(Memcached::OPT_COMPRESSION, false);
check('append', $c->set('text', 'b') && $c->append('text', 'c')
      && $c->prepend('text', 'a') && $c->get('text') === 'abc');
$many = [];
for ($i = 0; $i < 300; $i++) {
    $many["k$i"] = "v$i";
}
check('setMulti', $c->setMulti($many, 600));
check('getMulti', $c->getMulti(array_keys($many)) === $many);
check('getDelayed', $c->getDelayed(array_keys($many), true)
      && count($c->fetchAll()) === 300);
check('deleteMulti', !in_array(false, array_map(
    fn ($done) => $done === true, $c->deleteMulti(['k0', 'k1', 'k2'])), true));
check('touch', $c->touch('text', 500) && !$c->touch('none', 500));
check('expired', $protocol === 'binary'
      || ($c->set('gone', 'x', -1) && $c->get('gone') === false));
$calls = 0;
check('read through', $c->get('made', function ($c, $key, &$value) use (&$calls) {
    $calls++;
    $value = 'once';
    return true;
}) === 'once' && $c->get('made') === 'once' && $calls === 1);
$other = new Memcached();
$other->setOption(Memcached::OPT_PREFIX_KEY, 'app:');
$other->addServer($host, (int)$port);
check('prefix', $other->set('x', 1) && $c->get('app:x') === 1);
$stats = array_values($c->getStats())[0];
check('stats', $stats['curr_items'] > 200);
check('version', preg_match('/^\d+\.\d+/', array_values($c->getVersion())[0]) === 1);
check('left', $c->set('left-behind', 'by PHP', 600));
echo "$checks checks\n";
