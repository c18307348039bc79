package graph

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/aguante-chat/aguante/shared/limits"
)

// MaxName is the most bytes of a mention's name and of a fact's subject, relation and object: stores index them.
const MaxName = 256

// Entry is a Write as stores keep it: checked, in valid UTF-8, times in UTC to the microsecond, and with everything that
// both stores derive alike.
type Entry struct {
	Turn       Turn
	At         time.Time // of Turn
	SentAt     time.Time
	Order      string  // OrderKey of Turn
	Terms      string  // IndexTerms of Turn, and what its facts are asked for by
	Length     int     // how many Terms
	Lead       Message // what the turn is recalled as: its user's first message, else the first
	Messages   string  // of Turn, as JSON
	Digest     string  // of what was said and drawn from it
	Mentions   []Mention
	Statements []Statement
}

// Mention is an entity as a turn names it.
type Mention struct {
	Entity
	Key string
}

// NewEntries checks writes and makes them ready to be kept. Its error is ErrInvalid and says which write is at fault.
func NewEntries(writes []Write) ([]Entry, error) {
	entries := make([]Entry, len(writes))
	for i, w := range writes {
		e, err := NewEntry(w)
		if err != nil {
			return nil, fmt.Errorf("write %d: %w", i, err)
		}
		entries[i] = e
	}
	return entries, nil
}

// NewEntry checks a write and makes it ready to be kept. Its error is ErrInvalid.
func NewEntry(w Write) (Entry, error) {
	e := Entry{Turn: w.Turn, At: Instant(w.Turn.At()), SentAt: Instant(w.SentAt)}
	if err := e.checkTurn(); err != nil {
		return Entry{}, err
	}
	if err := e.setMessages(); err != nil {
		return Entry{}, err
	}
	e.Order = strings.ToValidUTF8(OrderKey(e.Turn), "\uFFFD")
	if err := e.setMentions(w.Mentions); err != nil {
		return Entry{}, err
	}
	if err := e.setStatements(w.Facts); err != nil {
		return Entry{}, err
	}
	e.setTerms()
	return e, e.setDigest()
}

// Supersedes tells whether e stays when its turn is there already, sent at sent and with that digest. What both stores
// keep of a turn id is so the same whatever came first.
func (e *Entry) Supersedes(sent time.Time, digest string) bool {
	return e.SentAt.After(sent) || e.SentAt.Equal(sent) && e.Digest > digest
}

func (e *Entry) checkTurn() error {
	for _, id := range []struct{ field, value string }{
		{"user", e.Turn.User}, {"turn_id", e.Turn.ID}, {"session_id", e.Turn.SessionID},
	} {
		if err := checkID(id.field, id.value); err != nil {
			return err
		}
	}
	if strings.ContainsAny(e.Turn.User, `/\%?#`) {
		return invalid(`user holds one of / \ %% ? #: it could not be asked for or forgotten by its path`)
	}
	if e.At.IsZero() {
		return invalid("turn has no time")
	}
	e.Turn.Engine = strings.ToValidUTF8(e.Turn.Engine, "\uFFFD")
	return nil
}

func checkID(field, value string) error {
	switch {
	case value == "":
		return invalid("%s is empty", field)
	case len(value) > limits.MaxID:
		return invalid("%s is longer than %d bytes", field, limits.MaxID)
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		return invalid("%s is not plain text", field)
	}
	return nil
}

func (e *Entry) setMessages() error {
	messages := make([]Message, len(e.Turn.Messages))
	for i, m := range e.Turn.Messages {
		messages[i] = Message{
			Role:    strings.ToValidUTF8(m.Role, "\uFFFD"),
			Name:    strings.ToValidUTF8(m.Name, "\uFFFD"),
			Content: strings.ToValidUTF8(m.Content, "\uFFFD"),
			At:      Instant(m.At),
		}
	}
	e.Turn.Messages = messages
	e.Lead = messages[max(0, slices.IndexFunc(messages, func(m Message) bool { return m.Role == "user" }))]
	text, err := json.Marshal(messages)
	if err != nil {
		return invalid("messages: %v", err)
	}
	e.Messages = string(text)
	return nil
}

func (e *Entry) setMentions(entities []Entity) error {
	seen := map[Entity]bool{}
	for _, n := range entities {
		m := Mention{Entity: Entity{Name: strings.ToValidUTF8(n.Name, "\uFFFD"), Kind: n.Kind}, Key: Key(n.Name)}
		if err := checkName("mention", m.Name); err != nil {
			return err
		}
		if once := (Entity{m.Key, m.Kind}); !seen[once] {
			seen[once] = true
			e.Mentions = append(e.Mentions, m)
		}
	}
	return nil
}

func (e *Entry) setStatements(facts []Fact) error {
	for i, f := range facts {
		f.Subject, f.Relation = strings.ToValidUTF8(f.Subject, "\uFFFD"), strings.ToValidUTF8(f.Relation, "\uFFFD")
		f.Object, f.Text = strings.ToValidUTF8(f.Object, "\uFFFD"), strings.ToValidUTF8(f.Text, "\uFFFD")
		for _, name := range []struct{ field, value string }{{"subject", f.Subject}, {"relation", f.Relation}, {"object", f.Object}} {
			if name.field == "object" && name.value == "" && f.Ended && f.Single {
				continue
			}
			if err := checkName(name.field, name.value); err != nil {
				return err
			}
		}
		f.TurnID, f.ValidFrom, f.ValidUntil = e.Turn.ID, Instant(f.ValidFrom), time.Time{}
		if f.ValidFrom.IsZero() {
			f.ValidFrom = e.At
		}
		e.Statements = append(e.Statements, Statement{Fact: f, Line: line(f), Order: e.Order, Seq: i})
	}
	return nil
}

func checkName(field, value string) error {
	switch {
	case Key(value) == "":
		return invalid("%s is empty", field)
	case len(value) > MaxName:
		return invalid("%s is longer than %d bytes", field, MaxName)
	}
	return nil
}

// setTerms takes the turn's own and those that its facts are asked for by: "I moved to Quito" answers "Where do I live?".
func (e *Entry) setTerms() {
	terms := strings.Fields(IndexTerms(e.Turn))
	for _, s := range e.Statements {
		for _, term := range Analyze(strings.ReplaceAll(s.Relation, "_", " ") + " " + askedBy[s.Relation]) {
			if !slices.Contains(terms, term) {
				terms = append(terms, term)
			}
		}
	}
	e.Terms, e.Length = strings.Join(terms, " "), len(terms)
}

func (e *Entry) setDigest() error {
	text, err := json.Marshal([]any{e.Turn.SessionID, e.Turn.Engine, e.Turn.Messages, e.Mentions, e.Statements})
	if err != nil {
		return invalid("%v", err)
	}
	sum := sha256.Sum256(text)
	e.Digest = hex.EncodeToString(sum[:16])
	return nil
}

// OwnerKey stands for a user wherever the id itself need not: it says nothing to who does not know the id.
func OwnerKey(user string) string {
	sum := sha256.Sum256([]byte(user))
	return hex.EncodeToString(sum[:16])
}

// Key is what a name is compared by: without case, diacritics and the kind of its spaces.
func Key(name string) string {
	plain := strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Mn, r):
			return -1
		case unicode.IsControl(r):
			return ' '
		}
		return unicode.ToLower(r)
	}, norm.NFKD.String(name))
	return strings.Join(strings.Fields(plain), " ")
}

// Instant is t as stores keep it: UTC, to the microsecond.
func Instant(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

func invalid(format string, values ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, values...)...)
}
