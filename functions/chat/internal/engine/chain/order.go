package chain

import (
	"cmp"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
)

// order gives the chain as r is to walk it: as the file has it, engines with a weight taking turns, cheaper ones first
// when money is short, and before them all the one that r names.
func (c *Chain) order(r engine.Request) []*link {
	links := slices.Clone(c.current())
	engines := links[:len(links)-1] // the last engine stays the last
	weigh(engines, r.SessionID)
	if r.Thrifty || c.Spend.soft() {
		slices.SortStableFunc(engines, func(a, b *link) int { return cmp.Compare(a.spec.Price.sum(), b.spec.Price.sum()) })
	}
	named := slices.IndexFunc(links, func(l *link) bool { return r.Model != "" && (l.Name() == r.Model || l.spec.Model == r.Model) })
	if named > 0 {
		l := links[named]
		links = slices.Insert(slices.Delete(links, named, named+1), 0, l)
	}
	return links
}

// weigh orders each run of engines that have a weight: each comes first as often as its weight says, and a session
// finds the same one first each time, whose cache knows it.
func weigh(links []*link, session string) {
	for from := 0; from < len(links); from++ {
		to := from
		for to < len(links) && links[to].spec.Weight > 0 {
			to++
		}
		if to-from > 1 {
			slices.SortStableFunc(links[from:to], func(a, b *link) int { return cmp.Compare(b.score(session), a.score(session)) })
		}
		from = max(from, to)
	}
}

// score is the engine's in a weighted rendezvous: -w/ln(h), h in (0, 1) of session and engine. The highest is first with
// probability w / Σw (Schindelhauer and Schomaker, Weighted Distributed Hash Tables, SPAA 2005).
func (l *link) score(session string) float64 {
	h := rand.Float64()
	if session != "" {
		sum := fnv.New64a()
		_, _ = sum.Write([]byte(session + "\x00" + l.Name())) // never fails
		h = float64(mix(sum.Sum64())>>11) / (1 << 53)
	}
	return -float64(l.spec.Weight) / math.Log(max(h, math.SmallestNonzeroFloat64))
}

// mix spreads the bits of FNV, which leaves similar names alike (the finalizer of MurmurHash3).
func mix(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
