// SPDX-License-Identifier: BSD-3-Clause
// What Go's users do with gomemcache. gomemcache ADDRESS
package main

import (
	"bytes"
	"fmt"
	"math/rand"
	"os"
	"sync"

	"github.com/bradfitz/gomemcache/memcache"
)

var checks int

func check(name string, condition bool) {
	if !condition {
		fmt.Fprintln(os.Stderr, name, "is wrong")
		os.Exit(1)
	}
	checks++
}

func main() {
	c := memcache.New(os.Args[1])
	c.DeleteAll()
	_, err := c.Get("user")
	check("miss", err == memcache.ErrCacheMiss)
	check("set", c.Set(&memcache.Item{Key: "user", Value: []byte("ada"),
		Flags: 77, Expiration: 600}) == nil)
	it, err := c.Get("user")
	check("get", err == nil && string(it.Value) == "ada" && it.Flags == 77)
	large := make([]byte, 900000)
	rand.New(rand.NewSource(1)).Read(large)
	check("large", c.Set(&memcache.Item{Key: "large", Value: large}) == nil)
	it, err = c.Get("large")
	check("large back", err == nil && bytes.Equal(it.Value, large))
	lock := &memcache.Item{Key: "lock", Value: []byte("x")}
	check("add", c.Add(lock) == nil)
	check("add twice", c.Add(lock) == memcache.ErrNotStored)
	check("delete", c.Delete("lock") == nil)
	check("delete twice", c.Delete("lock") == memcache.ErrCacheMiss)
	it, _ = c.Get("user")
	other, _ := c.Get("user")
	it.Value = []byte("bob")
	check("cas", c.CompareAndSwap(it) == nil)
	other.Value = []byte("eve")
	check("cas late", c.CompareAndSwap(other) == memcache.ErrCASConflict)
	c.Delete("user")
	check("cas none", c.CompareAndSwap(other) == memcache.ErrNotStored ||
		c.CompareAndSwap(other) == memcache.ErrCacheMiss)
	c.Set(&memcache.Item{Key: "n", Value: []byte("5")})
	n, err := c.Increment("n", 10)
	check("incr", err == nil && n == 15)
	n, err = c.Decrement("n", 100)
	check("decr", err == nil && n == 0)
	_, err = c.Increment("none", 1)
	check("incr none", err == memcache.ErrCacheMiss)
	var group sync.WaitGroup
	for worker := 0; worker < 8; worker++ {
		group.Add(1)
		go func(worker int) {
			defer group.Done()
			for i := 0; i < 100; i++ {
				c.Set(&memcache.Item{Key: fmt.Sprintf("k%d.%d", worker, i),
					Value: []byte(fmt.Sprint(i))})
				c.Increment("n", 1)
			}
		}(worker)
	}
	group.Wait()
	it, err = c.Get("n")
	check("counted", err == nil && string(bytes.TrimSpace(it.Value)) == "800")
	keys := []string{}
	for worker := 0; worker < 10; worker++ {
		for i := 0; i < 100; i++ {
			keys = append(keys, fmt.Sprintf("k%d.%d", worker, i))
		}
	}
	found, err := c.GetMulti(keys)
	check("multi", err == nil && len(found) == 800 &&
		string(found["k7.99"].Value) == "99")
	c.Set(&memcache.Item{Key: "gone", Value: []byte("x"), Expiration: -1})
	_, err = c.Get("gone")
	check("expired", err == memcache.ErrCacheMiss)
	check("long key", c.Set(&memcache.Item{
		Key: string(bytes.Repeat([]byte("k"), 250)), Value: []byte("v")}) == nil)
	check("left", c.Set(&memcache.Item{Key: "left-behind",
		Value: []byte("by gomemcache"), Expiration: 600}) == nil)
	fmt.Println(checks, "checks")
}
