package online

import (
	hashfnv "hash/fnv"
	"math"
)

// Sizes of the table of biases: sets of four, by the hash of the name.
const (
	biasSets = 1024
	biasWays = 4

	biasRate  = 0.1 // of the first step; later ones shrink
	biasSlow  = 20  // labels after which a step is half as long
	biasLimit = 2.0 // nats
)

// bias is how much more of what a recipient gets is spam than the words say.
type bias struct {
	key    uint64 // 0 is free
	odds   float32
	labels uint32
}

// biases are the terms of domains and users, a table of fixed size. In a full set a
// new name wears down the one with the fewest labels, and takes its place when
// nothing of it is left: names that come once don't push out those that stay.
type biases [biasSets][biasWays]bias

func biasKey(name string) uint64 {
	h := hashfnv.New64a()
	h.Write([]byte(name))
	return max(h.Sum64(), 1)
}

// of returns what is added to the odds for to.
func (b *biases) of(to Recipient) float64 {
	var sum float64
	for _, name := range []string{to.Domain, to.User} {
		if name == "" {
			continue
		}
		key := biasKey(name)
		for _, e := range &b[key%biasSets] {
			if e.key == key {
				sum += float64(e.odds)
			}
		}
	}
	return sum
}

// learn moves the terms of to by the error of p.
func (b *biases) learn(to Recipient, p float64, spam bool) {
	err := -p
	if spam {
		err++
	}
	for _, name := range []string{to.Domain, to.User} {
		if name == "" {
			continue
		}
		if e := b.entry(biasKey(name)); e != nil {
			rate := biasRate / (1 + float64(e.labels)/biasSlow)
			e.odds = float32(min(max(float64(e.odds)+rate*err, -biasLimit), biasLimit))
			e.labels = min(e.labels+1, math.MaxUint32-1)
		}
	}
}

// entry finds or makes the entry of key; nil where there is no room yet.
func (b *biases) entry(key uint64) *bias {
	set := &b[key%biasSets]
	least := &set[0]
	for k := range set {
		e := &set[k]
		if e.key == key {
			return e
		}
		if e.labels < least.labels {
			least = e
		}
	}
	if least.labels > 0 {
		least.labels--
		return nil
	}
	*least = bias{key: key}
	return least
}
