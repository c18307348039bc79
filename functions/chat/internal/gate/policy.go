package gate

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/goccy/go-yaml"
)

// policy is the policy file.
type policy struct {
	Injection string `yaml:"injection"` // Refuse, Mark or Off
	Messages  rules  `yaml:"messages"`
}

// Policy is the policy file, read again when it changes. Safe for concurrent use.
type Policy struct {
	path string
	log  *slog.Logger

	mu     sync.Mutex
	looked time.Time
	seen   time.Time // modification time of what was read last
	fault  error     // why the file as it is now is not used
	now    *policy
}

// recheck is how often the file is looked at.
const recheck = time.Second

// Open reads the policy file. Without a path the usual policy holds: no rules for messages, injections refused.
func Open(path string, log *slog.Logger) (*Policy, error) {
	p := &Policy{path: path, log: log, now: &policy{Injection: Refuse}}
	if path == "" {
		return p, nil
	}
	if err := p.read(); err != nil {
		return nil, fmt.Errorf("policy file: %w", err)
	}
	return p, nil
}

// Fault says why the file as it is now is not used, or nothing.
func (p *Policy) Fault() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fault == nil {
		return ""
	}
	return p.fault.Error()
}

// current is the policy in force. A file that has become unreadable leaves the one that was.
func (p *Policy) current() *policy {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.path != "" && time.Since(p.looked) > recheck {
		before := p.fault
		if err := p.read(); err != nil && (before == nil || before.Error() != err.Error()) {
			p.log.Error("the policy file is bad: the last good policy stays", "error", err)
		}
	}
	return p.now
}

// read takes the file's policy if it has changed.
func (p *Policy) read() error {
	p.looked = time.Now()
	info, err := os.Stat(p.path)
	if err == nil && info.ModTime().Equal(p.seen) {
		return p.fault
	}
	var text []byte
	if err == nil {
		p.seen = info.ModTime()
		text, err = os.ReadFile(p.path)
	}
	next := &policy{}
	if err == nil {
		err = next.parse(text)
	}
	if p.fault = err; err == nil {
		p.now = next
	}
	return err
}

func (p *policy) parse(text []byte) error {
	if err := yaml.UnmarshalWithOptions(text, p, yaml.Strict()); err != nil {
		return err
	}
	p.Injection = cmp.Or(p.Injection, Refuse)
	if !slices.Contains([]string{Refuse, Mark, Off}, p.Injection) {
		return errors.New("injection is none of refuse, mark and off")
	}
	return p.Messages.check()
}
