package phrase

import (
	"fmt"
	"slices"
	"strings"
)

// Reader reads something of one kind that starts at a word: a name, a date, an occupation. It returns the word after it
// and its value, or an end of at most at when there is nothing of its kind there.
type Reader func(s *Sentence, at int) (end int, value string)

// Capture is what a pattern's {kind:label} has read.
type Capture struct {
	Kind, Label string
	Value       string
}

// Match is what a pattern has read: words up to End.
type Match struct {
	End      int
	Captures []Capture
}

// pattern is one way to say something. In its text, between spaces:
//
//	moved          the word itself; "is" also stands for "'s"
//	buy|rent       any of the words
//	live~          with or without the s of the third person: live, lives
//	[back over]    may be missing as a whole; brackets nest
//	{place:label}  what the reader called place reads; the label says what it is
//	!label         nothing is read: the label stands by itself
//	$              nothing is read: the clause, or the thought, ends here
type pattern struct {
	text  string
	nodes []node
}

type node struct {
	words    []string // any of them
	optional []node
	read     Reader
	kind     string
	label    string // of a reader or by itself
	end      bool
}

// compile panics on a text that is no pattern: rules are part of the program.
func compile(text string, readers map[string]Reader) *pattern {
	spaced := strings.NewReplacer("[", " [ ", "]", " ] ").Replace(text)
	nodes, rest := parse(strings.Fields(spaced), readers, text)
	if len(rest) > 0 || len(nodes) == 0 {
		panic(fmt.Sprintf("phrase: brackets in %q", text))
	}
	return &pattern{text: text, nodes: nodes}
}

func parse(fields []string, readers map[string]Reader, text string) (nodes []node, rest []string) {
	for len(fields) > 0 {
		f := fields[0]
		fields = fields[1:]
		switch {
		case f == "]":
			return nodes, append([]string{f}, fields...)
		case f == "[":
			inner, rest := parse(fields, readers, text)
			if len(rest) == 0 {
				panic(fmt.Sprintf("phrase: brackets in %q", text))
			}
			nodes, fields = append(nodes, node{optional: inner}), rest[1:]
		case f == "$":
			nodes = append(nodes, node{end: true})
		case f[0] == '!':
			nodes = append(nodes, node{label: f[1:]})
		case f[0] == '{':
			nodes = append(nodes, reading(f, readers, text))
		default:
			nodes = append(nodes, node{words: forms(f)})
		}
	}
	return nodes, nil
}

func reading(field string, readers map[string]Reader, text string) node {
	kind, label, _ := strings.Cut(strings.Trim(field, "{}"), ":")
	if readers[kind] == nil {
		panic(fmt.Sprintf("phrase: nothing reads %s of %q", field, text))
	}
	return node{read: readers[kind], kind: kind, label: label}
}

func forms(field string) []string {
	var words []string
	for w := range strings.SplitSeq(field, "|") {
		base, third := strings.CutSuffix(w, "~")
		words = append(words, base)
		switch {
		case third && (strings.HasSuffix(base, "y") && !strings.ContainsAny(base[len(base)-2:], "aeiou")):
			words = append(words, strings.TrimSuffix(base, "y")+"ies")
		case third && (strings.HasSuffix(base, "o") || strings.HasSuffix(base, "ch") || strings.HasSuffix(base, "s")):
			words = append(words, base+"es")
		case third && base == "have":
			words = append(words, "has")
		case third:
			words = append(words, base+"s")
		case base == "is":
			words = append(words, "'s")
		}
	}
	return words
}

// match reads nodes from at on, trying what is optional first. What it captures grows as it goes.
func match(nodes []node, s *Sentence, at int, captures []Capture) (int, []Capture, bool) {
	for i, n := range nodes {
		switch {
		case n.optional != nil:
			with := slices.Concat(n.optional, nodes[i+1:])
			if end, all, ok := match(with, s, at, captures); ok {
				return end, all, true
			}
		case n.end:
			if !s.Ends(at) {
				return 0, nil, false
			}
		case n.read != nil:
			end, value := n.read(s, at)
			if end <= at {
				return 0, nil, false
			}
			at, captures = end, append(captures, Capture{n.kind, n.label, value})
		case n.label != "":
			captures = append(captures, Capture{Label: n.label, Kind: "!"})
		default:
			if at >= len(s.Words) || !slices.Contains(n.words, s.Words[at].Low) {
				return 0, nil, false
			}
			at++
		}
	}
	return at, captures, true
}

var endings = Set("and but so because since though although while when who which that if as then , . : ( ) - • too now today yesterday tomorrow anymore actually lol haha last this next recently lately")

// Ends tells whether a clause, or the thought in it, may end before the word at.
func (s *Sentence) Ends(at int) bool {
	return at >= len(s.Words) || endings[s.Words[at].Low]
}

// Table is a list of patterns; of those that match, the first counts.
type Table struct {
	byWord map[string][]ordered
	open   []ordered // start with something that is read
}

type ordered struct {
	*pattern
	place int
}

// NewTable compiles patterns. It panics on what is none.
func NewTable(readers map[string]Reader, patterns ...string) *Table {
	t := &Table{byWord: map[string][]ordered{}}
	for place, text := range patterns {
		p := ordered{compile(text, readers), place}
		first := p.nodes[0]
		if first.words == nil {
			t.open = append(t.open, p)
		}
		for _, w := range first.words {
			t.byWord[w] = append(t.byWord[w], p)
		}
	}
	return t
}

// Starts tells whether a pattern starts with that word.
func (t *Table) Starts(low string) bool { return t.byWord[low] != nil }

// Match matches the words from at on against the table.
func (t *Table) Match(s *Sentence, at int) (Match, bool) {
	worded, open := t.byWord[s.Low(at)], t.open
	for len(worded) > 0 || len(open) > 0 {
		next := &worded
		if len(worded) == 0 || len(open) > 0 && open[0].place < worded[0].place {
			next = &open
		}
		p := (*next)[0]
		*next = (*next)[1:]
		if end, captures, ok := match(p.nodes, s, at, nil); ok {
			return Match{end, captures}, true
		}
	}
	return Match{}, false
}
