package httpapi

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
)

func TestAPieceIsOneLineHoweverItsEngineWritesIt(t *testing.T) {
	for choices, want := range map[string]string{
		`[ {"index":0, "delta":{"content":"a b"}} ]`:                      `[ {"index":0, "delta":{"content":"a b"}} ]`,
		"[\n {\"index\":0,\r\n \"delta\":{\"content\":\"a\\nb <&>\"}}\n]": `[{"index":0,"delta":{"content":"a\nb <&>"}}]`,
	} {
		if got := choicesOf(turn.Piece{Chunk: &engine.Chunk{Choices: choices}}); got != want {
			t.Errorf("%q becomes %q", choices, got)
		}
	}
}

func TestAnAnswerKeepsAllThatItsEngineSaysButItsName(t *testing.T) {
	whole := `{"id":"theirs","object":"theirs","aguante":"theirs","model":"m","choices":[{"logprobs":{"a":[1]}}],"x_new":{"b": 2.50}}`
	text := completionOf(turn.Reply{TurnID: "t1", Answer: engine.Answer{Engine: "e", Whole: json.RawMessage(whole)}})
	var got struct {
		ID, Object string
		Aguante    extra
	}
	if err := json.Unmarshal(text, &got); err != nil || got.ID != "chatcmpl-t1" || got.Object != "chat.completion" || got.Aguante.Engine != "e" {
		t.Errorf("%s: %v", text, err)
	}
	if strings.Contains(string(text), "theirs") || !strings.Contains(string(text), `"model":"m","choices":[{"logprobs":{"a":[1]}}],"x_new":{"b": 2.50}`) {
		t.Errorf("it is %s", text)
	}
}

// BenchmarkStreamedChunk is one piece of a stream on its way to the caller: it costs no allocation.
func BenchmarkStreamedChunk(b *testing.B) {
	s := newStream(discard{header: http.Header{}}, "t1")
	defer s.close()
	chunk := completion{ID: "chatcmpl-t1", Object: "chat.completion.chunk", Model: "m"}
	head := chunk.head()
	p := turn.Piece{Text: "word ", Chunk: &engine.Chunk{Model: "m", Choices: `[{"index":0,"delta":{"content":"word "},"finish_reason":null}]`}}
	b.ReportAllocs()
	for b.Loop() {
		if chunk.follow(p.Chunk) {
			b.Fatal("it says the same")
		}
		if err := s.sendText(head, choicesOf(p), "}"); err != nil {
			b.Fatal(err)
		}
	}
}
