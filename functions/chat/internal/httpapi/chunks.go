package httpapi

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
)

// completionStream sends the pieces as they come, then the reason why there are no more, then the usage if it is asked.
func (a *api) completionStream(w http.ResponseWriter, c *call, s *stream, t turn.Turn, tell tell) error {
	chunk := completion{ID: completionID(t.ID), Object: "chat.completion.chunk", Created: createdAt(t.ID), Model: cmp.Or(t.Model, "aguante")}
	begun := false
	begin := func() error {
		if begun {
			return nil
		}
		begun = true
		chunk.Choices = choices(choice{Delta: &message{Role: engine.Assistant, Content: new(string)}})
		return s.send("", &chunk)
	}
	head := ""
	reply, err := tell(func(p turn.Piece) error {
		if p.Degraded != nil {
			return nil // said with the last piece
		}
		if chunk.follow(p.Chunk) || head == "" {
			head = chunk.head()
		}
		if err := begin(); err != nil {
			return err
		}
		return s.sendText(head, choicesOf(p), "}")
	})
	c.note(w, reply)
	if err != nil {
		return s.fail("", err, func(f fault) any { return f.openAI() })
	}
	_ = begin()
	return s.finish(chunk, reply, t.Form == formOpenAIUsage)
}

// follow takes over what an engine says of itself, and tells whether that is anything new.
func (c *completion) follow(told *engine.Chunk) bool {
	if told == nil {
		return false
	}
	before := *c
	c.Model, c.Fingerprint, c.ServiceTier = cmp.Or(told.Model, c.Model), told.Fingerprint, told.ServiceTier
	return c.Model != before.Model || c.Fingerprint != before.Fingerprint || c.ServiceTier != before.ServiceTier
}

// head is the JSON of a chunk up to its choices, after which it only ends. It is the same for all pieces of a stream.
func (c completion) head() string {
	c.Choices = nil
	text, _ := marshal(c)
	return strings.TrimSuffix(string(text), "null}")
}

// choicesOf are a piece's choices, byte for byte as its engine sent them if that speaks OpenAI's language and they stand
// on one line.
func choicesOf(p turn.Piece) string {
	switch {
	case p.Chunk == nil:
		text := p.Text
		return string(choices(choice{Delta: &message{Content: &text, ToolCalls: p.ToolCalls}}))
	case strings.ContainsAny(p.Chunk.Choices, "\r\n"):
		var line bytes.Buffer
		_ = json.Compact(&line, []byte(p.Chunk.Choices)) // the engine's client has read it
		return line.String()
	}
	return p.Chunk.Choices
}

// finish ends a stream of chunks. A caller who left by now has had the answer.
func (s *stream) finish(chunk completion, r turn.Reply, usage bool) error {
	chunk.Model, chunk.Aguante = r.Model, extraOf(r)
	chunk.Choices = choices(choice{Delta: &message{}, Finish: finishOf(r)})
	_ = s.send("", &chunk)
	if usage {
		chunk.Choices, chunk.Usage, chunk.Aguante = json.RawMessage("[]"), usageOf(r), nil
		_ = s.send("", &chunk)
	}
	_ = s.sendText("[DONE]")
	return nil
}
