package chat_test

import (
	"strings"
	"testing"
)

// face is one way to ask chat: its address, and how its answer is read.
type face struct {
	name, path, body string
	stream           bool
	read             func(t *testing.T, text string) heard
}

// heard is what the caller got.
type heard struct {
	text, engine, model, failure string
	degraded                     []string
	tokens                       int
}

var faces = []face{
	{"chat", "/chat", `{"message":"Hi","user":"ana"}`, false, readReply},
	{"chat streamed", "/chat", `{"message":"Hi","user":"ana","stream":true}`, true, readEvents},
	{"completions", "/v1/chat/completions", `{"user":"ana","messages":[{"role":"user","content":"Hi"}]}`, false, readCompletion},
	{"completions streamed", "/v1/chat/completions", `{"user":"ana","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"Hi"}]}`, true, readChunks},
}

type answered struct {
	Reply, Engine string
	Degraded      []struct{ Dependency, Reason string }
	Usage         struct {
		Total int `json:"total_tokens"`
	}
	Detail string // of a problem
}

func readReply(t *testing.T, text string) heard {
	a := decode[answered](t, text)
	return heard{text: a.Reply, engine: a.Engine, failure: a.Detail, degraded: words(a.Degraded), tokens: a.Usage.Total}
}

// words are what is said of engines; a busy machine may have more to say of others.
func words(all []struct{ Dependency, Reason string }) (words []string) {
	for _, d := range all {
		if d.Dependency == "first" || d.Dependency == "second" {
			words = append(words, d.Dependency+": "+d.Reason)
		}
	}
	return words
}

func readEvents(t *testing.T, text string) (h heard) {
	if !strings.HasPrefix(text, "event:") && !strings.HasPrefix(text, "id:") {
		return readReply(t, text)
	}
	var said strings.Builder
	for _, e := range events(t, text) {
		switch e.name {
		case "delta":
			said.WriteString(decode[struct{ Text string }](t, e.data).Text)
		case "done":
			h = readReply(t, e.data)
			if h.text != said.String() {
				t.Errorf("streamed %q, and done says %q", said.String(), h.text)
			}
		case "error":
			h.failure = decode[answered](t, e.data).Detail
		}
	}
	h.text = said.String()
	return h
}

type completed struct {
	Model   string
	Choices []struct {
		Message, Delta struct{ Content string }
		Finish         string `json:"finish_reason"`
	}
	Usage struct {
		Total int `json:"total_tokens"`
	}
	Aguante answered
	Error   struct{ Message string }
}

func readCompletion(t *testing.T, text string) heard {
	c := decode[completed](t, text)
	h := heard{model: c.Model, engine: c.Aguante.Engine, degraded: words(c.Aguante.Degraded), tokens: c.Usage.Total, failure: c.Error.Message}
	if len(c.Choices) > 0 {
		h.text = c.Choices[0].Message.Content
	}
	return h
}

func readChunks(t *testing.T, text string) (h heard) {
	if strings.HasPrefix(text, "{") {
		return readCompletion(t, text)
	}
	var said strings.Builder
	for _, e := range events(t, text) {
		if e.data == "[DONE]" {
			break
		}
		c := decode[completed](t, e.data)
		for _, one := range c.Choices {
			said.WriteString(one.Delta.Content)
		}
		if c.Aguante.Engine != "" {
			h.engine, h.model, h.degraded = c.Aguante.Engine, c.Model, words(c.Aguante.Degraded)
		}
		h.tokens, h.failure = c.Usage.Total, c.Error.Message
	}
	h.text = said.String()
	return h
}
