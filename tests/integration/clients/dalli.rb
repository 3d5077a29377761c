# SPDX-License-Identifier: BSD-3-Clause
# What Ruby's users do: a cache store with namespaces and compression, locks by
# add, optimistic updates, counters, multi-reads; it speaks the binary protocol.
# dalli.rb ADDRESS
require 'dalli'

$checks = 0

def check(name, condition)
  abort "#{name} is wrong" unless condition
  $checks += 1
end

server = ARGV[0]
plain = Dalli::Client.new(server)
shop = Dalli::Client.new(server, namespace: 'shop', compress: true,
                                 expires_in: 600)

shop.flush
check 'miss', shop.get('basket').nil?
check 'set', shop.set('basket', { 'items' => [1, 2, 3] })
check 'get', shop.get('basket') == { 'items' => [1, 2, 3] }
check 'namespace', plain.get('basket').nil? && !plain.get('shop:basket').nil?
check 'fetch', shop.fetch('made') { 'once' } == 'once'
check 'fetched', shop.fetch('made') { 'twice' } == 'once'
check 'large', shop.set('page', 'x' * 900_000) && shop.get('page').size == 900_000
noise = Random.new(1).bytes(200_000)
check 'noise', plain.set('noise', noise) && plain.get('noise') == noise
check 'add', shop.add('lock', 1) && !shop.add('lock', 2)
check 'replace', shop.replace('lock', 3) != 0 && shop.replace('nothing', 1) == 0
check 'delete', shop.delete('lock') && !shop.delete('lock')
check 'cas', shop.cas('basket') { |old| old.merge('paid' => true) }
check 'cas done', shop.get('basket')['paid']
value, cas = plain.get_cas('noise')
check 'get_cas', value == noise && cas.is_a?(Integer) && cas != 0
check 'set_cas', plain.set_cas('noise', 'quiet', cas)
check 'set_cas late', !plain.set_cas('noise', 'loud', cas)
check 'delete_cas', plain.delete_cas('noise', plain.get_cas('noise')[1])
check 'incr', plain.incr('hits', 1, nil, 10) == 10 && plain.incr('hits', 5) == 15
check 'decr', plain.decr('hits', 20).zero? && plain.decr('none', 1).nil?
raw = { raw: true }
plain.set('list', 'b', nil, raw)
plain.append('list', 'c')
plain.prepend('list', 'a')
check 'append', plain.get('list', raw) == 'abc'
plain.multi { 200.times { |i| plain.set("k#{i}", i.to_s, nil, raw) } }
keys = (0...300).map { |i| "k#{i}" }
check 'get_multi', plain.get_multi(*keys) == (0...200).to_h { |i| ["k#{i}", i.to_s] }
check 'get_multi_cas', plain.get_multi_cas(*keys).size == 200
plain.touch('k1', 500)
check 'gat', plain.gat('k2', 500) == '2' && plain.gat('k999', 500).nil?
check 'stats', plain.stats.values.first['curr_items'].to_i > 200
check 'version', plain.version.values.first =~ /^\d+\.\d+/
check 'alive', plain.alive!
plain.set('left-behind', 'by dalli', 600, raw)
puts "#{$checks} checks"
