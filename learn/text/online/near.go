package online

// near keeps the weights of the features in the window close together. Passes over
// the window read little else; in the table each of them would be a cache line of
// its own. What is here is newer than the table, until it is written back.
type near struct {
	weights []margins // by number
	slots   []uint32  // of the table, by number
	uses    []uint16  // examples that have the feature, by number; at most window
	free    []uint32
	number  []uint32 // by slot of the table; 0 is none
}

func newNear() *near {
	// Number 0 stays unused.
	return &near{weights: make([]margins, 1), slots: make([]uint32, 1), uses: make([]uint16, 1), number: make([]uint32, tableSize)}
}

// take returns f, sorted, with numbers instead of slots.
func (n *near) take(f *Features, t *table) *Features {
	g := *f
	g.parts, g.blocks = nil, nil // only scoring needs them
	g.index = make([]uint32, len(f.index))
	for k, i := range f.index {
		id := n.number[i]
		if id == 0 {
			if last := len(n.free) - 1; last >= 0 {
				id, n.free = n.free[last], n.free[:last]
			} else {
				id = uint32(len(n.weights))
				n.weights, n.slots, n.uses = append(n.weights, margins{}), append(n.slots, 0), append(n.uses, 0)
			}
			n.number[i], n.slots[id] = id, i
			n.weights[id] = margins{t.slots[i].slow, t.slots[i].fast}
		}
		n.uses[id]++
		g.index[k] = id
	}
	return &g
}

// release gives back what take took.
func (n *near) release(f *Features, t *table) {
	for _, id := range f.index {
		if n.uses[id]--; n.uses[id] == 0 {
			n.writeBack(id, t)
			n.number[n.slots[id]] = 0
			n.free = append(n.free, id)
		}
	}
}

func (n *near) writeBack(id uint32, t *table) {
	i, w := n.slots[id], n.weights[id]
	if s := &t.slots[i]; s.slow != w.slow || s.fast != w.fast {
		s.slow, s.fast = w.slow, w.fast
		t.dirty[i>>pageBits] = true
	}
}

// flush brings the table up to date.
func (n *near) flush(t *table) {
	for id := range n.weights {
		if n.uses[id] > 0 {
			n.writeBack(uint32(id), t)
		}
	}
}

// read sums up the views of f, which take returned.
func (n *near) read(f *Features) (m margins) {
	start := int32(0)
	for v, end := range f.ends {
		var a, b margins // two sums: one would wait for itself
		index := f.index[start:end]
		for ; len(index) > 1; index = index[2:] {
			x, y := &n.weights[index[0]], &n.weights[index[1]]
			a.slow += x.slow
			a.fast += x.fast
			b.slow += y.slow
			b.fast += y.fast
		}
		if len(index) > 0 {
			a.slow += n.weights[index[0]].slow
			a.fast += n.weights[index[0]].fast
		}
		// The conversions keep the compiler from fusing: the same on every machine.
		m.slow += float32((a.slow + b.slow) * f.norm[v])
		m.fast += float32((a.fast + b.fast) * f.norm[v])
		start = end
	}
	return m
}

// add moves the weights of all features of f, which take returned.
func (n *near) add(f *Features, slow, fast float32) {
	start := int32(0)
	for v, end := range f.ends {
		a, b := float32(slow*f.norm[v]), float32(fast*f.norm[v])
		for _, id := range f.index[start:end] {
			w := &n.weights[id]
			w.slow += a
			w.fast += b
		}
		start = end
	}
}
