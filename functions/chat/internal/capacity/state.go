package capacity

// State is what is in force.
type State struct {
	Level    int
	Measures Measure
	rules    machine // as they stood when this came into force
}

// Now is the state at the moment.
func (c *Capacity) Now() *State { return c.state.Load() }

// Has tells whether a measure is in force.
func (s *State) Has(m Measure) bool { return s.Measures&m != 0 }

// Because is the word for why a measure is in force; empty if it is not.
func (s *State) Because(m Measure) string {
	for i, c := range s.rules {
		if c.holds && rules[i].measures&m != 0 {
			return rules[i].state
		}
	}
	return ""
}

// sheds tells whether turns of a priority are shed whatever room there is.
func (s *State) sheds(p Priority) bool {
	return s.Has(ShedAll) || s.Has(ShedNew) && p < Known
}

// Probe lets one turn a second do without the measure m, so that it shows when that is no longer needed.
func (c *Capacity) Probe(m Measure) bool {
	for {
		probes := c.probes.Load()
		if probes&uint32(m) == 0 {
			return false
		}
		if c.probes.CompareAndSwap(probes, probes&^uint32(m)) {
			return true
		}
	}
}
