package httpapi

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
	"github.com/aguante-chat/aguante/shared/guard"
)

// completionRequest is the body of POST /v1/chat/completions. What it does not name goes on to the engine as it came.
type completionRequest struct {
	model    string
	user     string
	messages []engine.Message
	stream   bool
	usage    bool // the stream ends with one more piece: the usage
	params   map[string]json.RawMessage
}

func parseCompletion(members fields) (c completionRequest, err error) {
	var raw []json.RawMessage
	var options struct {
		IncludeUsage bool `json:"include_usage"`
	}
	for _, take := range []func() error{
		func() error { return members.take("model", &c.model) },
		func() error { return members.takeID("user", &c.user) },
		func() error { return members.take("messages", &raw) },
		func() error { return members.take("stream", &c.stream) },
		func() error { return members.take("stream_options", &options) },
	} {
		if err := take(); err != nil {
			return c, err
		}
	}
	c.usage, c.params = options.IncludeUsage, members
	for i, m := range raw {
		message, err := parseMessage(m)
		if err != nil {
			return c, invalid(fmt.Sprintf("messages[%d]", i), err.Error())
		}
		c.messages = append(c.messages, message)
	}
	return c, nil
}

var roles = []string{"system", "developer", "user", "assistant", "tool", "function"}

// parseMessage keeps the message as it came when it holds more than a text: images, tool calls.
func parseMessage(raw json.RawMessage) (m engine.Message, err error) {
	var members struct {
		Role    string          `json:"role"`
		Name    string          `json:"name"`
		Content json.RawMessage `json:"content"`
	}
	var all map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil || json.Unmarshal(raw, &all) != nil {
		return m, errors.New("is not a message")
	}
	if !slices.Contains(roles, members.Role) {
		return m, fmt.Errorf("has a role other than %s", strings.Join(roles, ", "))
	}
	m = engine.Message{Role: members.Role, Name: members.Name}
	var text bool
	if m.Content, text, err = textOf(members.Content); err != nil {
		return m, err
	}
	delete(all, "role")
	delete(all, "name")
	delete(all, "content")
	if !text || len(all) > 0 {
		m.Raw = raw
	}
	return m, nil
}

// textOf is what a content says in words, and whether that is all of it.
func textOf(content json.RawMessage) (text string, all bool, err error) {
	if len(content) == 0 || string(content) == "null" {
		return "", false, nil
	}
	if json.Unmarshal(content, &text) == nil {
		return text, true, nil
	}
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if json.Unmarshal(content, &parts) != nil {
		return "", false, errors.New("has content that is neither text nor a list of parts")
	}
	var texts []string
	for _, p := range parts {
		if p.Type == "text" {
			texts = append(texts, p.Text)
		}
	}
	return strings.Join(texts, "\n"), false, nil
}

// completion is OpenAI's chat.completion and, with deltas for messages, chat.completion.chunk.
type completion struct {
	ID      string        `json:"id"`
	Object  string        `json:"object"`
	Created int64         `json:"created"`
	Model   string        `json:"model"`
	Choices []choice      `json:"choices"`
	Usage   *engine.Usage `json:"usage,omitempty"`
	Aguante *extra        `json:"aguante,omitempty"`
}

// extra is what OpenAI has no words for.
type extra struct {
	SessionID string           `json:"session_id,omitempty"`
	TurnID    string           `json:"turn_id"`
	TraceID   string           `json:"trace_id"`
	Engine    string           `json:"engine"`
	Degraded  []guard.Degraded `json:"degraded"`
	Recalled  []recalled       `json:"recalled"`
}

func extraOf(r turn.Reply) *extra {
	return &extra{
		SessionID: r.SessionID, TurnID: r.TurnID, TraceID: r.TraceID, Engine: r.Engine,
		Degraded: list(r.Degraded), Recalled: recalledOf(r.Recalled),
	}
}

type choice struct {
	Index   int      `json:"index"`
	Message *message `json:"message,omitempty"`
	Delta   *message `json:"delta,omitempty"`
	Finish  *string  `json:"finish_reason"`
}

type message struct {
	Role      string          `json:"role,omitempty"`
	Content   *string         `json:"content,omitempty"`
	ToolCalls json.RawMessage `json:"tool_calls,omitempty"`
}

// completions serves POST /v1/chat/completions.
func (a *api) completions(w http.ResponseWriter, r *http.Request, c *call) error {
	members, err := readObject(w, r)
	if err != nil {
		return err
	}
	body, err := parseCompletion(members)
	if err != nil {
		return err
	}
	t := c.turn(r)
	t.ID = uuid.Must(uuid.NewV7()).String()
	t.SessionID = r.Header.Get(sessionHeader)
	t.User, t.Model, t.Messages, t.Params = body.user, body.model, body.messages, body.params
	if body.stream {
		return a.completionStream(w, r, c, t, body.usage)
	}
	reply, err := a.Teller.Take(r.Context(), t, nil)
	c.note(w, reply)
	if err != nil {
		return err
	}
	if reply.SessionID != "" {
		w.Header().Set(sessionHeader, reply.SessionID)
	}
	writeJSON(w, http.StatusOK, completionOf(reply))
	return nil
}

func completionOf(r turn.Reply) completion {
	m := message{Role: engine.Assistant, Content: &r.Text, ToolCalls: r.ToolCalls}
	return completion{
		ID: completionID(r.TurnID), Object: "chat.completion", Created: time.Now().Unix(), Model: r.Model,
		Choices: []choice{{Message: &m, Finish: finishOf(r)}}, Usage: &r.Usage, Aguante: extraOf(r),
	}
}

func completionID(turnID string) string { return "chatcmpl-" + turnID }

func finishOf(r turn.Reply) *string {
	finish := r.Finish
	if finish == "" {
		finish = "stop"
	}
	return &finish
}

// completionStream sends the pieces as they come, then the reason why there are no more, then the usage if it is asked.
func (a *api) completionStream(w http.ResponseWriter, r *http.Request, c *call, t turn.Turn, usage bool) error {
	s := newStream(w)
	defer s.close()
	var text string
	piece := message{Content: &text}
	chunk := completion{
		ID: completionID(t.ID), Object: "chat.completion.chunk", Created: time.Now().Unix(), Model: cmp.Or(t.Model, "aguante"),
		Choices: []choice{{Delta: &message{Role: engine.Assistant, Content: new(string)}}},
	}
	begin := func() error {
		if chunk.Choices[0].Delta == &piece {
			return nil
		}
		err := s.send("", &chunk)
		chunk.Choices[0].Delta = &piece
		return err
	}
	reply, err := a.Teller.Take(r.Context(), t, func(p turn.Piece) error {
		if p.Degraded != nil {
			return nil // said with the last piece
		}
		if err := begin(); err != nil {
			return err
		}
		text, piece.ToolCalls = p.Text, p.ToolCalls
		return s.send("", &chunk)
	})
	c.note(w, reply)
	if err != nil {
		return s.fail("", err, func(f fault) any { return f.openAI() })
	}
	_ = begin()
	return s.finish(chunk, reply, usage)
}

// finish ends a stream of chunks. A caller who left by now has had the answer.
func (s *stream) finish(chunk completion, r turn.Reply, usage bool) error {
	chunk.Model, chunk.Aguante = r.Model, extraOf(r)
	chunk.Choices = []choice{{Delta: &message{}, Finish: finishOf(r)}}
	_ = s.send("", &chunk)
	if usage {
		chunk.Choices, chunk.Usage, chunk.Aguante = []choice{}, &r.Usage, nil
		_ = s.send("", &chunk)
	}
	_ = s.raw("data: [DONE]\n\n")
	return nil
}

// model is OpenAI's model object.
type model struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

func modelOf(name string) model {
	return model{ID: name, Object: "model", OwnedBy: "aguante"}
}

// models serves GET /v1/models.
func (a *api) models(w http.ResponseWriter, r *http.Request, c *call) error {
	if err := a.admit(w, r, c); err != nil {
		return err
	}
	data := []model{}
	for _, name := range a.Models() {
		data = append(data, modelOf(name))
	}
	writeJSON(w, http.StatusOK, struct {
		Object string  `json:"object"`
		Data   []model `json:"data"`
	}{"list", data})
	return nil
}

// model serves GET /v1/models/{model}, whose name may hold slashes.
func (a *api) model(w http.ResponseWriter, r *http.Request, c *call) error {
	if err := a.admit(w, r, c); err != nil {
		return err
	}
	name := r.PathValue("model")
	if !slices.Contains(a.Models(), name) {
		return errNoModel
	}
	writeJSON(w, http.StatusOK, modelOf(name))
	return nil
}
