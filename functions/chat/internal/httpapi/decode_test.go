package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
	"github.com/aguante-chat/aguante/shared/limits"
)

func parseChat(body []byte) (a asked, err error) {
	if err = parseJSON(body, &a, strictly); err != nil {
		return a, err
	}
	return a, a.check()
}

func parseOpenAI(body []byte) (c completionRequest, messages []engine.Message, err error) {
	if err = parseJSON(body, &c); err != nil {
		return c, nil, err
	}
	messages, err = c.parse()
	return c, messages, err
}

func TestACallersTimeoutBeginsWithTheRequest(t *testing.T) {
	began := time.Unix(1_800_000_000, 0)
	for value, want := range map[string]time.Time{
		"": {}, "soon": {}, "-1": {}, "1.5": {}, "99999999999999999999": {}, "5s": {},
		"0": began, "250": began.Add(250 * time.Millisecond), "15000": began.Add(15 * time.Second),
	} {
		r := httptest.NewRequest(http.MethodPost, "/chat", nil)
		r.Header.Set("X-Envoy-Expected-Rq-Timeout-Ms", value)
		if got := deadlineOf(r, began); !got.Equal(want) {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}

func TestChatBodiesThatCannotBeRight(t *testing.T) {
	for name, c := range map[string]struct {
		body   string
		status int
		field  string
	}{
		"empty":                   {``, 400, ""},
		"null":                    {`null`, 400, "message"},
		"a list":                  {`[]`, 400, ""},
		"a text":                  {`"hi"`, 400, ""},
		"cut off":                 {`{"message":"hi"`, 400, ""},
		"no name":                 {`{1:2}`, 400, ""},
		"trailing garbage":        {`{"message":"hi"} {}`, 400, ""},
		"trailing comma":          {`{"message":"hi",}`, 400, ""},
		"invalid UTF-8":           {"{\"message\":\"\xff\"}", 400, ""},
		"no message":              {`{}`, 400, "message"},
		"null message":            {`{"message":null}`, 400, "message"},
		"empty message":           {`{"message":""}`, 400, "message"},
		"blank message":           {`{"message":" \n\t"}`, 400, "message"},
		"message of a wrong type": {`{"message":{"text":"hi"}}`, 400, "message"},
		"long message":            {`{"message":"` + strings.Repeat("x", limits.MaxMessage+1) + `"}`, 413, "message"},
		"stream of a wrong type":  {`{"message":"hi","stream":"yes"}`, 400, "stream"},
		"user of a wrong type":    {`{"message":"hi","user":7}`, 400, "user"},
		"user as a path":          {`{"message":"hi","user":"../../etc/passwd"}`, 400, "user"},
		"user with an escape":     {`{"message":"hi","user":"..%2f"}`, 400, "user"},
		"user with a control":     {`{"message":"hi","user":"a\u0000b"}`, 400, "user"},
		"long user":               {`{"message":"hi","user":"` + strings.Repeat("u", limits.MaxID+1) + `"}`, 400, "user"},
		"session as a path":       {`{"message":"hi","session_id":".."}`, 400, "session_id"},
		"a mistyped member":       {`{"message":"hi","sesion_id":"s"}`, 400, "sesion_id"},
		"a member in capitals":    {`{"message":"hi","User":"ana"}`, 400, "User"},
		"a member twice":          {`{"message":"hi","user":"a","user":"b"}`, 400, "user"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseChat([]byte(c.body))
			if err == nil {
				t.Fatal("taken, want it refused")
			}
			if f := faultOf(err); f.status != c.status || f.param != c.field {
				t.Errorf("got %d for %q (%v), want %d for %q", f.status, f.param, err, c.status, c.field)
			}
		})
	}
}

func TestChatBodiesThatAreRight(t *testing.T) {
	for _, body := range []string{
		`{"message":"hi"}`,
		"\n{\t\"message\" : \"hi\" }\r\n",
		`{"message":"hi","user":null,"session_id":null,"stream":null}`,
		`{"message":"hi","user":"","session_id":""}`,
		`{"message":"hi","user":"José Ñandú|42","session_id":"s-1","stream":true}`,
		`{"message":"` + strings.Repeat("x", limits.MaxMessage) + `"}`,
	} {
		if _, err := parseChat([]byte(body)); err != nil {
			t.Errorf("%.80s: %v", body, err)
		}
	}
}

func TestCompletionKeepsWhatItDoesNotKnow(t *testing.T) {
	c, messages, err := parseOpenAI([]byte(`{"model":"m","user":"ana","stream":true,"stream_options":{"include_usage":true},
		"temperature":0.2,"tools":[{"type":"function"}],"future":{"a":1},"messages":[{"role":"user","content":"hi"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if c.Model != "m" || c.User != "ana" || !c.Stream || !c.Options.Usage || len(messages) != 1 || messages[0].Content != "hi" {
		t.Errorf("read wrongly: %+v", c)
	}
	for name, want := range map[string]string{"temperature": "0.2", "tools": `[{"type":"function"}]`, "future": `{"a":1}`} {
		if string(c.Params[name]) != want {
			t.Errorf("Params[%q] = %s, want %s", name, c.Params[name], want)
		}
	}
	if len(c.Params) != 3 {
		t.Errorf("Params = %v, want three", c.Params)
	}
}

func TestCompletionMessages(t *testing.T) {
	for name, c := range map[string]struct {
		message, content string
		raw              bool
		refused          bool
	}{
		"text":           {message: `{"role":"user","content":"hi"}`, content: "hi"},
		"named":          {message: `{"role":"user","name":"ana","content":"hi"}`, content: "hi"},
		"parts":          {message: `{"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{}},{"type":"text","text":"this"}]}`, content: "see\nthis", raw: true},
		"tool calls":     {message: `{"role":"assistant","content":null,"tool_calls":[{}]}`, raw: true},
		"tool result":    {message: `{"role":"tool","tool_call_id":"1","content":"7"}`, content: "7", raw: true},
		"no content":     {message: `{"role":"assistant"}`, raw: true},
		"unknown role":   {message: `{"role":"god","content":"hi"}`, refused: true},
		"no role":        {message: `{"content":"hi"}`, refused: true},
		"content number": {message: `{"role":"user","content":7}`, refused: true},
		"content object": {message: `{"role":"user","content":{"text":"hi"}}`, refused: true},
		"parts of text":  {message: `{"role":"user","content":["hi"]}`, refused: true},
		"no object":      {message: `"hi"`, refused: true},
		"null":           {message: `null`, refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := parseMessage(jsontext.Value(c.message))
			if (err != nil) != c.refused {
				t.Fatalf("got error %v, want one: %v", err, c.refused)
			}
			if err == nil && (m.Content != c.content || (m.Raw != nil) != c.raw) {
				t.Errorf("got %q raw %v, want %q raw %v", m.Content, m.Raw != nil, c.content, c.raw)
			}
		})
	}
}

func FuzzChat(f *testing.F) {
	f.Add([]byte(`{"message":"hi","user":"ana","session_id":"s","stream":true}`))
	f.Add([]byte(`{"message":"\ud800","message":1}`))
	f.Add([]byte(`{"message":{}}{`))
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := parseChat(body)
		if err != nil {
			if f := faultOf(err); f.status != 400 && f.status != 413 {
				t.Fatalf("%q is told as %d: %v", body, f.status, err)
			}
			return
		}
		if strings.TrimSpace(a.Message) == "" || len(a.Message) > limits.MaxMessage || !utf8.ValidString(a.Message) {
			t.Fatalf("took the message %q", a.Message)
		}
		for _, id := range []string{a.User, a.SessionID} {
			if id != "" && (len(id) > limits.MaxID || strings.ContainsAny(id, "/\\%\x00\n")) {
				t.Fatalf("took the id %q", id)
			}
		}
	})
}

func FuzzCompletion(f *testing.F) {
	f.Add([]byte(`{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true}}`))
	f.Add([]byte(`{"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"n":2}`))
	f.Add([]byte(`{"messages":{"role":[]},"user":"../"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		_, messages, err := parseOpenAI(body)
		if err != nil {
			var bad *turn.Invalid
			if !errors.As(err, &bad) {
				t.Fatalf("%q: %v is no *turn.Invalid", body, err)
			}
			return
		}
		for _, m := range messages {
			if _, err := json.Marshal(m); err != nil {
				t.Fatalf("took a message that cannot be sent on: %v", err)
			}
		}
	})
}

func BenchmarkParseCompletion(b *testing.B) {
	instructions := strings.Repeat("You are a helpful assistant who answers briefly. ", 16)
	body := []byte(`{"model":"m","stream":true,"max_tokens":100,"temperature":0.7,"messages":[{"role":"system","content":"` + instructions +
		`"},{"role":"user","content":"Where does Ana live, and who told me so?"}]}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := parseOpenAI(body); err != nil {
			b.Fatal(err)
		}
	}
}
