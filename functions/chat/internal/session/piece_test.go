package session

import (
	"bytes"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/aguante-chat/aguante/functions/chat/internal/engine"
	"github.com/aguante-chat/aguante/functions/chat/internal/turn"
	"github.com/aguante-chat/aguante/shared/guard"
)

func TestPiecesAreReadAsTheyWereKept(t *testing.T) {
	word := rapid.StringN(0, 300, -1)
	rapid.Check(t, func(t *rapid.T) {
		var pieces []turn.Piece
		var kept []byte
		for range rapid.IntRange(1, 5).Draw(t, "pieces") {
			p := turn.Piece{Text: word.Draw(t, "text")}
			if calls := word.Draw(t, "tool calls"); calls != "" {
				p.ToolCalls = []byte(calls)
			}
			if rapid.Bool().Draw(t, "degraded") {
				p.Degraded = &guard.Degraded{Zone: "sync", Dependency: word.Draw(t, "dependency"), Reason: "open"}
			}
			if choices := word.Draw(t, "choices"); choices != "" {
				p.Chunk = &engine.Chunk{Choices: choices, Model: word.Draw(t, "model"), ServiceTier: word.Draw(t, "tier")}
			}
			pieces, kept = append(pieces, p), appendPiece(kept, p)
		}
		for _, want := range pieces {
			got, rest, err := takePiece(kept)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("%v: got %+v, want %+v", err, got, want)
			}
			kept = rest
		}
		if len(kept) != 0 {
			t.Errorf("%d bytes are left", len(kept))
		}
	})
}

func TestAPieceOfALaterVersionIsReadWithoutWhatIsNew(t *testing.T) {
	later := appendPiece(nil, turn.Piece{Text: "a", Chunk: &engine.Chunk{Choices: "[]", ServiceTier: "flex"}})
	later[0]++
	later = append(later, 1, 'x')
	if p, rest, err := takePiece(append(later, 0)); err != nil || p.Text != "a" || p.Chunk.ServiceTier != "flex" || !bytes.Equal(rest, []byte{0}) {
		t.Errorf("%+v, %v, %v", p, rest, err)
	}
}

func FuzzPiece(f *testing.F) {
	f.Add(appendPiece(nil, turn.Piece{Text: "a", Degraded: &guard.Degraded{Zone: "sync"}, Chunk: &engine.Chunk{Choices: "[]"}}))
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 'a'})
	f.Add([]byte{255})
	f.Fuzz(func(t *testing.T, b []byte) {
		for len(b) > 0 {
			_, rest, err := takePiece(b)
			if err != nil {
				return
			}
			if len(rest) >= len(b) {
				t.Fatal("it stands still")
			}
			b = rest
		}
	})
}
