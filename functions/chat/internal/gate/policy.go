package gate

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/aguante-chat/aguante/functions/chat/internal/reread"
)

// policy is the policy file.
type policy struct {
	Injection string `yaml:"injection"` // Refuse, Mark or Off
	Messages  rules  `yaml:"messages"`
}

// Policy is the policy file, read again when it changes. Safe for concurrent use.
type Policy struct {
	file *reread.File[*policy] // nil: there is none
}

// usual is what holds without a policy file: no rules for messages, injections refused.
var usual = &policy{Injection: Refuse}

// Open reads the policy file. Without a path the usual policy holds. A bad file is an error: nothing is to pass a rule by a
// mistake.
func Open(path string, log *slog.Logger) (*Policy, error) {
	if path == "" {
		return &Policy{}, nil
	}
	file := reread.Open(path, parsePolicy, nil, log, "the policy file is bad: the last good policy stays")
	if fault := file.Fault(); fault != "" {
		return nil, fmt.Errorf("policy file: %s", fault)
	}
	return &Policy{file}, nil
}

// Fault says why the file as it is now is not used, or nothing.
func (p *Policy) Fault() string {
	if p.file == nil {
		return ""
	}
	return p.file.Fault()
}

// FaultSince is when the file began not to be used as it is: zero while it is.
func (p *Policy) FaultSince() time.Time {
	if p.file == nil {
		return time.Time{}
	}
	return p.file.FaultSince()
}

// current is the policy in force. A file that has become unreadable leaves the one that was.
func (p *Policy) current() *policy {
	if p.file == nil {
		return usual
	}
	return p.file.Now()
}

func parsePolicy(text []byte) (*policy, error) {
	p := &policy{}
	if err := yaml.UnmarshalWithOptions(text, p, yaml.Strict()); err != nil {
		return nil, err
	}
	p.Injection = cmp.Or(p.Injection, Refuse)
	if !slices.Contains([]string{Refuse, Mark, Off}, p.Injection) {
		return nil, errors.New("injection is none of refuse, mark and off")
	}
	return p, p.Messages.check()
}
