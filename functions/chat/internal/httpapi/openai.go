package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/tidwall/gjson"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
	"github.com/aguante-chat/aguante/shared/guard"
)

// completionRequest is the body of POST /v1/chat/completions. What it does not name goes on to the engine as it came.
type completionRequest struct {
	Model    string           `json:"model"`
	User     string           `json:"user"`
	Messages []jsontext.Value `json:"messages"`
	Stream   bool             `json:"stream"`
	Options  struct {
		Usage bool `json:"include_usage"` // the stream ends with one more piece
	} `json:"stream_options"`
	Params map[string]json.RawMessage `json:",embed"`
}

// parse gives the messages, once all of the request is found to be right.
func (c *completionRequest) parse() ([]engine.Message, error) {
	if err := checkOptionalID("user", c.User); err != nil {
		return nil, err
	}
	messages := make([]engine.Message, len(c.Messages))
	for i, raw := range c.Messages {
		var err error
		if messages[i], err = parseMessage(raw); err != nil {
			return nil, invalid(fmt.Sprintf("messages[%d]", i), err.Error())
		}
	}
	return messages, nil
}

var roles = []string{"system", "developer", "user", "assistant", "tool", "function"}

// parseMessage keeps the message as it came when it holds more than a text: images, tool calls.
func parseMessage(raw jsontext.Value) (m engine.Message, err error) {
	var members struct {
		Role    string                    `json:"role"`
		Name    string                    `json:"name"`
		Content content                   `json:"content"`
		Other   map[string]jsontext.Value `json:",embed"`
	}
	if parseJSON(raw, &members) != nil {
		return m, errors.New("is not a message with a text or a list of parts")
	}
	if !slices.Contains(roles, members.Role) {
		return m, fmt.Errorf("has a role other than %s", strings.Join(roles, ", "))
	}
	m = engine.Message{Role: members.Role, Name: members.Name, Content: members.Content.text}
	if !members.Content.all || len(members.Other) > 0 {
		m.Raw = json.RawMessage(raw)
	}
	return m, nil
}

// content is what a message says in words, and whether that is all of it.
type content struct {
	text string
	all  bool
}

// UnmarshalJSONFrom takes a text, a list of parts of which some are texts, or null.
func (c *content) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() != '[' {
		c.all = d.PeekKind() == '"'
		return jsonv2.UnmarshalDecode(d, &c.text)
	}
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	err := jsonv2.UnmarshalDecode(d, &parts)
	var texts []string
	for _, p := range parts {
		if p.Type == "text" {
			texts = append(texts, p.Text)
		}
	}
	c.text = strings.Join(texts, "\n")
	return err
}

// completion is OpenAI's chat.completion.chunk and, of an engine that speaks another language, its chat.completion.
type completion struct {
	ID          string          `json:"id"`
	Object      string          `json:"object"`
	Created     int64           `json:"created"`
	Model       string          `json:"model"`
	Fingerprint string          `json:"system_fingerprint,omitempty"`
	ServiceTier string          `json:"service_tier,omitempty"`
	Choices     json.RawMessage `json:"choices"`
	Usage       json.RawMessage `json:"usage,omitempty"`
	Aguante     *extra          `json:"aguante,omitempty"`
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

// choices is the JSON of one choice.
func choices(c choice) json.RawMessage {
	text, _ := marshal([]choice{c}) // strings, and JSON that was read
	return text
}

// marshal is json.Marshal, with < > and & as they are.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// completions serves POST /v1/chat/completions.
func (a *api) completions(w http.ResponseWriter, r *http.Request, c *call) error {
	var body completionRequest
	if err := readJSON(w, r, &body); err != nil {
		return err
	}
	messages, err := body.parse()
	if err != nil {
		return err
	}
	t := c.turn(r)
	t.ID = newTurnID()
	t.SessionID = r.Header.Get(sessionHeader)
	t.User, t.Model, t.Messages, t.Params = body.User, body.Model, messages, body.Params
	if body.Stream {
		t.Form = formOpenAI
		if body.Options.Usage {
			t.Form = formOpenAIUsage
		}
		s := newStream(w, t.ID)
		defer s.close()
		return a.completionStream(w, c, s, t, func(emit turn.Emit) (turn.Reply, error) { return a.Teller.Stream(r.Context(), t, emit) })
	}
	reply, err := a.Teller.Take(r.Context(), t, nil)
	c.note(w, reply)
	if err != nil {
		return err
	}
	if reply.SessionID != "" {
		w.Header().Set(sessionHeader, reply.SessionID)
	}
	writeText(w, http.StatusOK, completionOf(reply))
	return nil
}

// completionOf is the engine's own answer, whatever is in it, under our id and with what we have to say.
func completionOf(r turn.Reply) []byte {
	if r.Whole == nil {
		m := message{Role: engine.Assistant, Content: &r.Text, ToolCalls: r.ToolCalls}
		text, _ := marshal(completion{
			ID: completionID(r.TurnID), Object: "chat.completion", Created: time.Now().Unix(), Model: r.Model,
			Choices: choices(choice{Message: &m, Finish: finishOf(r)}), Usage: usageOf(r), Aguante: extraOf(r),
		})
		return text
	}
	text := fmt.Appendf(nil, `{"id":%q,"object":"chat.completion"`, completionID(r.TurnID))
	gjson.ParseBytes(r.Whole).ForEach(func(name, value gjson.Result) bool {
		switch name.Str {
		case "id", "object", "aguante":
		default:
			text = append(append(append(append(text, ','), name.Raw...), ':'), value.Raw...)
		}
		return true
	})
	more, _ := marshal(extraOf(r))
	return append(append(append(text, `,"aguante":`...), more...), '}')
}

// usageOf is the usage as the engine told it, with all that it told.
func usageOf(r turn.Reply) json.RawMessage {
	if r.Told != nil {
		return r.Told
	}
	text, _ := marshal(r.Usage)
	return text
}

func completionID(turnID string) string { return "chatcmpl-" + turnID }

// createdAt is when a turn's id was made, in Unix seconds: the same for whoever tells the rest of its stream.
func createdAt(turnID string) int64 {
	id, err := uuid.Parse(turnID)
	if err != nil {
		return 0
	}
	seconds, _ := id.Time().UnixTime()
	return seconds
}

func finishOf(r turn.Reply) *string {
	finish := r.Finish
	if finish == "" {
		finish = "stop"
	}
	return &finish
}
