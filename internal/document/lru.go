package document

import (
	"container/list"
	"sync"
)

// lru keeps the values used last, as many as fit its size.
type lru[K comparable, V any] struct {
	mu    sync.Mutex
	limit int64
	size  int64
	order *list.List // of *lruItem, the one used last in front
	items map[K]*list.Element
}

type lruItem[K comparable, V any] struct {
	key   K
	value V
	size  int64
}

func newLRU[K comparable, V any](limit int64) *lru[K, V] {
	return &lru[K, V]{limit: limit, order: list.New(), items: map[K]*list.Element{}}
}

func (c *lru[K, V]) get(k K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.items[k]
	if !ok {
		var none V
		return none, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*lruItem[K, V]).value, true
}

// getOr gives the value of the key, made fresh with size 0 when it is not there.
func (c *lru[K, V]) getOr(k K, fresh func() V) V {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.items[k]; ok {
		c.order.MoveToFront(e)
		return e.Value.(*lruItem[K, V]).value
	}
	v := fresh()
	c.items[k] = c.order.PushFront(&lruItem[K, V]{key: k, value: v})
	return v
}

// put adds a value and drops those used least recently until all fit; a value
// larger than the limit is kept alone.
func (c *lru[K, V]) put(k K, v V, size int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(k)
	c.items[k] = c.order.PushFront(&lruItem[K, V]{key: k, value: v, size: size})
	c.size += size
	for c.size > c.limit && c.order.Len() > 1 {
		c.drop(c.order.Back().Value.(*lruItem[K, V]).key)
	}
}

func (c *lru[K, V]) remove(k K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(k)
}

func (c *lru[K, V]) drop(k K) {
	if e, ok := c.items[k]; ok {
		c.order.Remove(e)
		delete(c.items, k)
		c.size -= e.Value.(*lruItem[K, V]).size
	}
}
