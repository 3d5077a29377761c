# SPDX-License-Identifier: BSD-3-Clause
# What Perl's users do, with either of its clients.
# cache_memcached.pl ADDRESS MODULE
use strict;
use warnings;

my ($server, $module) = @ARGV;
eval "require $module" or die $@;
my $fast = $module =~ /Fast/;
my $checks = 0;

sub check {
    my ($name, $condition) = @_;
    die "$name is wrong\n" unless $condition;
    $checks++;
}

my $cache = $module->new({
    servers => [$server], namespace => 'app:',
    compress_threshold => 10_000,
});
$cache->flush_all;
check('miss', !defined $cache->get('user'));
check('set', $cache->set('user', { name => 'Ada', langs => [1, 2] }, 600));
check('get', $cache->get('user')->{langs}[1] == 2);
my $page = join '', map { "line $_\n" } 1 .. 40_000;
check('compressed', $cache->set('page', $page) && $cache->get('page') eq $page);
srand 1;
my $noise = join '', map { chr int rand 256 } 1 .. 100_000;
check('binary', $cache->set('noise', $noise) && $cache->get('noise') eq $noise);
check('add', $cache->add('lock', 1) && !$cache->add('lock', 2));
check('replace', $cache->replace('lock', 3) && !$cache->replace('none', 1));
check('delete', $cache->delete('lock') && !$cache->delete('lock'));
check('number', $cache->set('n', 5));
check('incr', $cache->incr('n') == 6 && $cache->incr('n', 10) == 16);
check('decr', $cache->decr('n', 100) == 0);
check('no number', !$cache->incr('missing'));
check('append', $cache->set('list', 'b') && $cache->append('list', 'c') &&
      $cache->prepend('list', 'a') && $cache->get('list') eq 'abc');
$cache->set("k$_", "v$_") for 0 .. 199;
my $found = $cache->get_multi(map { "k$_" } 0 .. 299);
check('multi', keys %$found == 200 && $found->{k199} eq 'v199');
$cache->set('gone', 'x', -1);
check('expired', !defined $cache->get('gone'));
if ($fast) {
    my $pair = $cache->gets('list');
    check('gets', $pair->[1] eq 'abc');
    check('cas', $cache->cas('list', $pair->[0], 'new'));
    check('cas late', !$cache->cas('list', $pair->[0], 'newer'));
    check('touch', $cache->touch('list', 500) && !$cache->touch('none', 5));
    check('gat', $cache->gat(500, 'list') eq 'new');
    my $done = $cache->set_multi(map { ["m$_", $_] } 0 .. 99);
    check('set_multi', 100 == grep { $_ } values %$done);
    check('delete_multi',
          100 == grep { $_ } values %{$cache->delete_multi(map { "m$_" } 0 .. 99)});
    my ($version) = values %{$cache->server_versions};
    check('version', $version =~ /^\d+\.\d+/);
} else {
    my $stats = $cache->stats(['misc', 'malloc']);
    check('stats', $stats->{total}{curr_items} > 200);
}
$module->new({ servers => [$server] })->set('left-behind', 'by Perl', 600);
print "$checks checks\n";
