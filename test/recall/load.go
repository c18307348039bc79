package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aguante-chat/aguante/shared/event"
	"github.com/aguante-chat/aguante/shared/graph"
)

// conversation is one file: its turns in order, and what is asked about them.
type conversation struct {
	name      string
	turns     []event.Completed
	questions []question
}

// question has the turns that answer it, and LoCoMo's category: 1 multi-hop, 2 temporal, 3 open-ended, 4 single-hop.
type question struct {
	Text     string   `json:"question"`
	Evidence []string `json:"evidence"`
	Category int      `json:"category"`
}

func load(folder string) ([]conversation, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no conversation (*.json) in %s", folder)
	}
	var all []conversation
	for _, file := range files {
		c, err := read(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, c)
	}
	return all, nil
}

func read(file string) (conversation, error) {
	c := conversation{name: strings.TrimSuffix(filepath.Base(file), ".json")}
	content, err := os.ReadFile(file)
	if err != nil {
		return c, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(content, &members); err != nil {
		return c, err
	}
	for n := 1; members[fmt.Sprintf("session_%d", n)] != nil; n++ {
		if err := c.session(fmt.Sprintf("session_%d", n), members); err != nil {
			return c, err
		}
	}
	var asked []question
	if err := json.Unmarshal(members["qa"], &asked); err != nil {
		return c, err
	}
	c.keep(asked)
	return c, nil
}

// session adds a session's turns, each said at the session's date.
func (c *conversation) session(name string, members map[string]json.RawMessage) error {
	var date string
	var said []struct {
		Speaker string `json:"speaker"`
		ID      string `json:"dia_id"`
		Text    string `json:"text"`
		Caption string `json:"blip_caption"`
	}
	if err := errors.Join(json.Unmarshal(members[name], &said), json.Unmarshal(members[name+"_date_time"], &date)); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	at, err := time.Parse("3:04 pm on 2 January, 2006", date)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for _, s := range said {
		content := s.Text
		if s.Caption != "" {
			content += " [shares a picture: " + s.Caption + "]"
		}
		c.turns = append(c.turns, event.Completed{ID: s.ID, SessionID: c.name + "-" + name,
			Messages: []graph.Message{{Role: "user", Name: s.Speaker, Content: content, At: at}}})
	}
	return nil
}

// keep takes the questions of categories 1 to 4 whose evidence is among the turns. Some evidence names several turns in
// one string ("D8:6; D9:17"), some names none that there is.
func (c *conversation) keep(asked []question) {
	turns := map[string]bool{}
	for _, t := range c.turns {
		turns[t.ID] = true
	}
	for _, q := range asked {
		evidence := map[string]bool{}
		for _, id := range strings.FieldsFunc(strings.Join(q.Evidence, " "), func(r rune) bool { return strings.ContainsRune("; ,", r) }) {
			if turns[id] {
				evidence[id] = true
			}
		}
		q.Evidence = nil
		for id := range evidence {
			q.Evidence = append(q.Evidence, id)
		}
		if q.Category >= 1 && q.Category <= 4 && len(q.Evidence) > 0 {
			c.questions = append(c.questions, q)
		}
	}
}
